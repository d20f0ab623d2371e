/* Singleshot as a C library: a trained SSD300 that finds objects in images.
 *
 *   singleshot_error error;
 *   singleshot_detector* detector = NULL;
 *   if (singleshot_detector_open("checkpoint", NULL, &detector, &error) != SINGLESHOT_OK)
 * puts(error.message); singleshot_image image = {.kind = SINGLESHOT_FILE, .data = "photo.jpg"};
 *   singleshot_results* results = NULL;
 *   if (singleshot_detect(detector, &image, 1, NULL, &results, &error) == SINGLESHOT_OK) {
 *     const singleshot_image_result* found = singleshot_results_at(results, 0);
 *     for (size_t i = 0; i < found->count; ++i) printf("%g\n", found->detections[i].score);
 *   }
 *   singleshot_results_free(results);
 *   singleshot_detector_close(detector);
 *
 * Errors are values: a status and, where the caller wants it, a message of one line. Nothing is printed, and
 * no exception leaves the library. Any function may be called from any thread, several on one detector at the
 * same time; only singleshot_detector_close must be the last call on its detector.
 *
 * Threads: the calling thread reads and resizes its images and makes boxes of the network's outputs. The
 * network runs on one thread of the detector's own and that thread's OpenMP team (`threads` of the options),
 * whichever thread asks: calls from many threads share it, wait in the order in which they came, and start no
 * teams of their own. Two detectors have two teams. After fork() a detector works in the parent alone.
 *
 * ABI: functions and types of this header stay as they are while SINGLESHOT_ABI does; option structs may grow
 * at their end, which their `size` tells. A build with another ABI has another soname.
 */
#ifndef SINGLESHOT_SINGLESHOT_H
#define SINGLESHOT_SINGLESHOT_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define SINGLESHOT_ABI 0

#if defined(__GNUC__)
#define SINGLESHOT_API __attribute__((visibility("default")))
#else
#define SINGLESHOT_API
#endif

typedef int32_t singleshot_status;
enum {
  SINGLESHOT_OK = 0,
  SINGLESHOT_BAD_ARGUMENT = 1, /* a null pointer, an option out of range */
  SINGLESHOT_BAD_MODEL = 2,    /* the checkpoint could not be read */
  SINGLESHOT_BAD_IMAGE = 3,    /* at least one image could not be read; the results hold the others */
  SINGLESHOT_OUT_OF_MEMORY = 4,
  SINGLESHOT_FAILED = 5 /* anything else; the message says what */
};

/* Filled by a call that fails, emptied by one that does not. Lies with the caller; every function takes NULL
 * for it. */
typedef struct singleshot_error {
  singleshot_status status;
  char message[1020]; /* one line of UTF-8, ends with a zero */
} singleshot_error;

typedef struct singleshot_detector singleshot_detector;
typedef struct singleshot_results singleshot_results;

enum {
  SINGLESHOT_F32 = 0,
  SINGLESHOT_BF16 = 1 /* sums in f32; on processors with AMX or AVX512_BF16, others refuse it */
};

typedef struct singleshot_detector_options {
  size_t size;     /* sizeof(singleshot_detector_options) */
  int32_t threads; /* of the network; 0: all processors this process may run on */
  int32_t batch; /* images that the network takes at once, from 1; each run takes the time of a full batch */
  int32_t stride_in; /* 3: in the 3x3 convolution of a bottleneck, 1: in the 1x1, 0: as the checkpoint says */
  int64_t precision; /* of the convolutions: SINGLESHOT_F32 or SINGLESHOT_BF16 */
} singleshot_detector_options;
#define SINGLESHOT_DETECTOR_OPTIONS_INIT \
  { sizeof(singleshot_detector_options), 0, 1, 0, SINGLESHOT_F32 }

typedef struct singleshot_detect_options {
  size_t size;  /* sizeof(singleshot_detect_options) */
  float score;  /* detections score above this: 0 <= score < 1 */
  float iou;    /* of boxes of a class that overlap more than this the best is kept: 0 <= iou <= 1 */
  int32_t most; /* detections of an image, the best by score, from 1 */
} singleshot_detect_options;
#define SINGLESHOT_DETECT_OPTIONS_INIT \
  { sizeof(singleshot_detect_options), 0.3f, 0.45f, 200 }

typedef int32_t singleshot_image_kind;
enum {
  SINGLESHOT_ENCODED = 0, /* the bytes of an image file; oriented as its EXIF tag says */
  SINGLESHOT_FILE = 1,    /* the path of one, ending with a zero */
  SINGLESHOT_RGB = 2,     /* pixels of 8 bits a channel, in that order */
  SINGLESHOT_BGR = 3,
  SINGLESHOT_RGBA = 4, /* alpha is not premultiplied and is laid over white */
  SINGLESHOT_BGRA = 5,
  SINGLESHOT_GRAY = 6
};

/* An image of the caller's, which must stay until the call ends. */
typedef struct singleshot_image {
  singleshot_image_kind kind;
  int32_t width, height; /* of pixels; else not looked at */
  const void* data;      /* pixels: the first one of the upper row */
  size_t bytes;          /* of SINGLESHOT_ENCODED; else not looked at */
  /* Pixels: bytes from a row to the next, at least width times bytes a pixel; negative where the upper row
   * stands last; 0 for rows without gaps. */
  ptrdiff_t stride;
} singleshot_image;

typedef struct singleshot_detection {
  float left, top, right, bottom; /* pixels from the image's left upper corner, clipped to it */
  float score;                    /* 0..1 */
  int32_t label;                  /* 1 .. singleshot_category_count */
  int64_t category_id; /* of the label, as in the annotations that were trained on; below -2^53 where
                          the id is a text there, which the number stands for */
} singleshot_detection;

typedef struct singleshot_image_result {
  const singleshot_detection* detections; /* by falling score */
  size_t count;
  int32_t width, height; /* of the image, as oriented */
  const char* error;     /* why the image could not be read; NULL where it could */
} singleshot_image_result;

/* "0.1.0"; the library's. */
SINGLESHOT_API const char* singleshot_version(void);

/* Reads a checkpoint's folder, a run's folder, a .safetensors or a PyTorch .pt file. `options` may be NULL.
 * Fails with BAD_ARGUMENT, BAD_MODEL, OUT_OF_MEMORY and FAILED; *detector is then NULL. */
SINGLESHOT_API singleshot_status singleshot_detector_open(const char* path,
                                                          const singleshot_detector_options* options,
                                                          singleshot_detector** detector,
                                                          singleshot_error* error);
/* NULL is passed over. */
SINGLESHOT_API void singleshot_detector_close(singleshot_detector* detector);

/* The classes: labels 1 .. count. The name and the id of a label; NULL and -1 for another. Names are UTF-8,
 * and stay as long as the detector. */
SINGLESHOT_API int32_t singleshot_category_count(const singleshot_detector* detector);
SINGLESHOT_API const char* singleshot_category_name(const singleshot_detector* detector, int32_t label);
SINGLESHOT_API int64_t singleshot_category_id(const singleshot_detector* detector, int32_t label);

/* Finds the objects in `count` images. `options` may be NULL. With OK and with BAD_IMAGE, *results has a
 * result for each image, in their order, and is to be freed; the error is then the first bad image's. With
 * any other status *results is NULL. */
SINGLESHOT_API singleshot_status singleshot_detect(singleshot_detector* detector,
                                                   const singleshot_image* images, size_t count,
                                                   const singleshot_detect_options* options,
                                                   singleshot_results** results, singleshot_error* error);

SINGLESHOT_API size_t singleshot_results_count(const singleshot_results* results);
/* NULL beyond the last. Stays as long as the results. */
SINGLESHOT_API const singleshot_image_result* singleshot_results_at(const singleshot_results* results,
                                                                    size_t index);
/* NULL is passed over. */
SINGLESHOT_API void singleshot_results_free(singleshot_results* results);

#ifdef __cplusplus
}
#endif

#endif
