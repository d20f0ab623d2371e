#include "image/jpeg.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <csetjmp>
#include <cstdio>
#include <vector>
// After cstdio, whose FILE it needs
#include <jpeglib.h>
// After jpeglib.h, which says what the library was built with
#include <jerror.h>

#include "base/error.h"
#include "image/convert_rows.h"
#include "image/exif.h"

namespace ssd {

// What libjpeg works on. Its callbacks find their way back by `client_data`.
struct JpegDecoder::State {
  jpeg_decompress_struct info{};
  jpeg_error_mgr errors{};
  jpeg_source_mgr source{};
  jpeg_progress_mgr progress{};
  std::jmp_buf escape;
  std::array<char, JMSG_LENGTH_MAX> message{};
  const char* reason = "";  // set before each jump
  std::span<const std::byte> bytes;
  bool hit_end = false;  // libjpeg asked for more than there is
  int max_scans = 0;
  int row_offset = 0;  // bytes before the part's first column in a decoded row
  std::vector<std::uint8_t> memory;
  std::array<JSAMPROW, rows_at_once> decoded{};
  std::array<const std::uint8_t*, rows_at_once> handed_out{};

  // Nobody on the way may own anything: a jump calls no destructors. `why` must stay.
  [[noreturn]] void leave(const char* why) {
    reason = why;
    std::longjmp(escape, 1);
  }
};

namespace {

template <typename State>
State& state_of(j_common_ptr info) {
  return *static_cast<State*>(info->client_data);
}

template <typename State>
[[noreturn]] void leave_with_message(State& state) {
  state.errors.format_message(reinterpret_cast<j_common_ptr>(&state.info), state.message.data());
  state.leave(state.message.data());
}

template <typename State>
void on_error(j_common_ptr info) {
  leave_with_message(state_of<State>(info));
}

// Warnings that leave wrong pixels behind end the decoding; those about odd, but harmless files do not. A
// scan of a progressive file may end early: what it leaves out is detail, and encoders do leave it out.
template <typename State>
bool spoils_pixels(const State& state, int code) {
  if (code == JWRN_HIT_MARKER) return state.hit_end || !state.info.progressive_mode;
  return code == JWRN_HUFF_BAD_CODE || code == JWRN_MUST_RESYNC || code == JWRN_ARITH_BAD_CODE ||
         code == JWRN_NOT_SEQUENTIAL;
}

template <typename State>
void on_message(j_common_ptr info, int level) {
  State& state = state_of<State>(info);
  if (level >= 0 || !spoils_pixels(state, info->err->msg_code)) return;
  if (state.hit_end) state.leave("the end of the data before the end of the image");
  leave_with_message(state);
}

template <typename State>
void on_progress(j_common_ptr info) {
  State& state = state_of<State>(info);
  if (state.info.input_scan_number > state.max_scans) {
    state.leave("more scans than an image of this size may have");
  }
}

void ignore(j_decompress_ptr) {}

// An end-of-image marker in place of what is missing lets libjpeg come to an end.
template <typename State>
boolean on_end_of_data(j_decompress_ptr info) {
  static constexpr std::array<JOCTET, 2> end_of_image = {0xff, JPEG_EOI};
  state_of<State>(reinterpret_cast<j_common_ptr>(info)).hit_end = true;
  info->src->next_input_byte = end_of_image.data();
  info->src->bytes_in_buffer = end_of_image.size();
  return TRUE;
}

template <typename State>
void on_skip(j_decompress_ptr info, long count) {
  if (count <= 0) return;
  if (static_cast<std::size_t>(count) > info->src->bytes_in_buffer) {
    on_end_of_data<State>(info);
    return;
  }
  info->src->next_input_byte += count;
  info->src->bytes_in_buffer -= static_cast<std::size_t>(count);
}

// Runs calls of libjpeg; what it has to complain about becomes an Error. `call` must own nothing: a complaint
// jumps out of it.
template <typename State, typename Call>
void guarded(State& state, Call call) {
  if (setjmp(state.escape) != 0) {
    const std::size_t left = state.hit_end ? 0 : state.source.bytes_in_buffer;
    throw Error(
        "JPEG data: got {} at byte {} of {}, expected a whole image that libjpeg-turbo can read; "
        "replace the file or save it anew",
        state.reason, state.bytes.size() - left, state.bytes.size());
  }
  call();
}

#if JPEG_LIB_VERSION >= 70
int smallest_block(const jpeg_decompress_struct& info) { return info.min_DCT_h_scaled_size; }
int block_of(const jpeg_component_info& component) { return component.DCT_h_scaled_size; }
#else
int smallest_block(const jpeg_decompress_struct& info) { return info.min_DCT_scaled_size; }
int block_of(const jpeg_component_info& component) { return component.DCT_scaled_size; }
#endif

// libjpeg-turbo 2.1 mistakes the width of a cropped component that the inverse transform enlarges on one part
// of the way and interpolation on the other, as 4x2 sampling at half the size.
bool crops_columns_rightly(const jpeg_decompress_struct& info) {
  for (const jpeg_component_info& c :
       std::span(info.comp_info, static_cast<std::size_t>(info.num_components))) {
    const bool enlarged = block_of(c) != smallest_block(info);
    const bool interpolated = c.h_samp_factor * block_of(c) != info.max_h_samp_factor * smallest_block(info);
    if (enlarged && interpolated) return false;
  }
  return true;
}

}  // namespace

JpegDecoder::JpegDecoder(const ImageLimits& limits) : limits_(limits), state_(std::make_unique<State>()) {
  State& s = *state_;
  s.info.err = jpeg_std_error(&s.errors);
  s.errors.error_exit = on_error<State>;
  s.errors.emit_message = on_message<State>;
  s.info.client_data = &s;
  s.source.init_source = ignore;
  s.source.fill_input_buffer = on_end_of_data<State>;
  s.source.skip_input_data = on_skip<State>;
  s.source.resync_to_restart = jpeg_resync_to_restart;
  s.source.term_source = ignore;
  s.progress.progress_monitor = on_progress<State>;
}

JpegDecoder::~JpegDecoder() { jpeg_destroy_decompress(&state_->info); }

const ImageInfo& JpegDecoder::open(std::span<const std::byte> bytes) {
  State& s = *state_;
  rows_left_ = 0;
  s.bytes = bytes;
  s.hit_end = false;
  s.source.next_input_byte = reinterpret_cast<const JOCTET*>(bytes.data());
  s.source.bytes_in_buffer = bytes.size();
  // Made anew each time: one that is used again keeps its tables for a file without any of its own.
  jpeg_destroy_decompress(&s.info);
  guarded(s, [this, &s] {
    jpeg_create_decompress(&s.info);
    s.info.mem->max_memory_to_use = static_cast<long>(limits_.memory);
    s.info.src = &s.source;
    s.info.progress = &s.progress;
    jpeg_save_markers(&s.info, JPEG_APP0 + 1, 0xffff);
    jpeg_read_header(&s.info, TRUE);
  });
  check_header();
  info_ = {static_cast<int>(s.info.image_width), static_cast<int>(s.info.image_height), s.info.num_components,
           1};
  for (const jpeg_marker_struct* m = s.info.marker_list; m != nullptr && info_.orientation == 1;
       m = m->next) {
    info_.orientation = exif_orientation(std::as_bytes(std::span(m->data, m->data_length)));
  }
  return info_;
}

void JpegDecoder::check_header() {
  State& s = *state_;
  const std::int64_t pixels = std::int64_t{s.info.image_width} * s.info.image_height;
  check_image_cost("JPEG", {.width = s.info.image_width, .height = s.info.image_height}, limits_);
  // Every block of a Huffman-coded image takes a bit at least; an arithmetic coder can do with far less.
  const std::int64_t pixels_a_byte = std::int64_t{8} * DCTSIZE2 * (s.info.arith_code ? 64 : 1);
  if (pixels > pixels_a_byte * static_cast<std::int64_t>(s.bytes.size())) {
    throw Error("JPEG data: got {} bytes, expected at least {} for {}x{} pixels; replace the file",
                s.bytes.size(), pixels / pixels_a_byte, s.info.image_width, s.info.image_height);
  }
  if (s.info.num_components != 1 && s.info.num_components != 3 && s.info.num_components != 4) {
    throw Error("JPEG colours: got {} components, expected 1, 3 or 4; save the image as RGB",
                s.info.num_components);
  }
  s.max_scans = static_cast<int>(std::min<std::int64_t>(limits_.scans, limits_.scanned_pixels / pixels));
  s.info.out_color_space = s.info.num_components == 4 ? JCS_CMYK : JCS_RGB;
}

void JpegDecoder::start(const ImagePart& part) {
  State& s = *state_;
  s.info.scale_num = 1;
  s.info.scale_denom = static_cast<unsigned>(part.denominator);
  guarded(s, [&s] { jpeg_start_decompress(&s.info); });
  // A file of several scans has been read to its end by now; where that came early, scans are missing.
  if (s.hit_end && jpeg_has_multiple_scans(&s.info)) {
    guarded(s, [&s] { s.leave("the end of the data before the last scan"); });
  }
  const PixelRect& rect = part.rect;
  const int width = static_cast<int>(s.info.output_width);
  assert(rect.left >= 0 && rect.top >= 0 && rect.width() > 0 && rect.height() > 0 && rect.right <= width &&
         rect.bottom <= static_cast<int>(s.info.output_height));

  // Chroma is interpolated between neighbours, so the outermost columns need one more sample on each side.
  const int margin = crops_columns_rightly(s.info) ? s.info.max_h_samp_factor : width;
  JDIMENSION first = static_cast<JDIMENSION>(std::max(0, rect.left - margin));
  const int last = std::min(width, rect.right + margin);
  JDIMENSION columns = static_cast<JDIMENSION>(last) - first;
  if (columns < s.info.output_width) {
    guarded(s, [&s, &first, &columns] { jpeg_crop_scanline(&s.info, &first, &columns); });
  }
  const std::size_t bytes = s.info.output_width * static_cast<std::size_t>(s.info.output_components);
  if (s.memory.size() < bytes * rows_at_once) s.memory.resize(bytes * rows_at_once);
  for (std::size_t i = 0; i < rows_at_once; ++i) s.decoded[i] = s.memory.data() + bytes * i;
  s.row_offset = 3 * (rect.left - static_cast<int>(first));
  if (rect.top > 0) skip(rect.top);
  rows_left_ = rect.height();
}

void JpegDecoder::skip(int rows) {
  State& s = *state_;
  guarded(s, [&s, rows] { jpeg_skip_scanlines(&s.info, static_cast<JDIMENSION>(rows)); });
}

std::span<const std::uint8_t* const> JpegDecoder::read_rows() {
  State& s = *state_;
  const int count = std::min(rows_at_once, rows_left_);
  guarded(s, [&s, count] {
    JDIMENSION done = 0;
    while (done < static_cast<JDIMENSION>(count)) {
      done += jpeg_read_scanlines(&s.info, s.decoded.data() + done, static_cast<JDIMENSION>(count) - done);
    }
  });
  // The arithmetic decoder makes something of any data, even of none.
  if (s.hit_end && s.info.arith_code)
    guarded(s, [&s] { s.leave("the end of the data before the end of the image"); });
  if (s.info.out_color_space == JCS_CMYK) {
    // Adobe's way, with its marker or without: Pillow and browsers know no other.
    for (int i = 0; i < count; ++i)
      cmyk_to_rgb(s.decoded[i], static_cast<int>(s.info.output_width), FullInk::at_0);
  }
  for (int i = 0; i < count; ++i) s.handed_out[i] = s.decoded[i] + s.row_offset;
  rows_left_ -= count;
  return {s.handed_out.data(), static_cast<std::size_t>(count)};
}

#define SSD_TEXT_OF(token) #token
#define SSD_TEXT_OF_MACRO(macro) SSD_TEXT_OF(macro)
std::string jpeg_library_version() { return SSD_TEXT_OF_MACRO(LIBJPEG_TURBO_VERSION); }

}  // namespace ssd
