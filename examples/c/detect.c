/* Finds objects in image files, in one batch: detect CHECKPOINT IMAGE... */
#include <singleshot/singleshot.h>
#include <stdio.h>
#include <stdlib.h>

static void print_objects(const singleshot_detector* detector, const singleshot_image_result* found) {
  for (size_t i = 0; i < found->count; ++i) {
    const singleshot_detection* object = &found->detections[i];
    printf("  %s %.3f at %.1f %.1f %.1f %.1f\n", singleshot_category_name(detector, object->label), object->score,
           object->left, object->top, object->right, object->bottom);
  }
}

int main(int argc, char** argv) {
  if (argc < 3) {
    fprintf(stderr, "Usage: detect CHECKPOINT IMAGE...\n");
    return 2;
  }
  singleshot_error error;
  singleshot_detector* detector = NULL;
  if (singleshot_detector_open(argv[1], NULL, &detector, &error) != SINGLESHOT_OK) {
    fprintf(stderr, "%s\n", error.message);
    return 1;
  }
  const size_t count = (size_t)argc - 2;
  singleshot_image* images = calloc(count, sizeof(singleshot_image));
  if (images == NULL) return 1;
  for (size_t i = 0; i < count; ++i) {
    images[i].kind = SINGLESHOT_FILE;
    images[i].data = argv[i + 2];
  }
  singleshot_detect_options options = SINGLESHOT_DETECT_OPTIONS_INIT;
  options.score = 0.26f;
  singleshot_results* results = NULL;
  const singleshot_status status = singleshot_detect(detector, images, count, &options, &results, &error);
  if (status != SINGLESHOT_OK) fprintf(stderr, "%s\n", error.message);
  for (size_t i = 0; i < singleshot_results_count(results); ++i) {
    const singleshot_image_result* found = singleshot_results_at(results, i);
    if (found->error == NULL) {
      printf("%s, %d x %d: %zu objects\n", argv[i + 2], (int)found->width, (int)found->height, found->count);
      print_objects(detector, found);
    }
  }
  singleshot_results_free(results);
  free(images);
  singleshot_detector_close(detector);
  return status == SINGLESHOT_OK ? 0 : 1;
}
