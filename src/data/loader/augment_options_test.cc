#include "data/loader/augment_options.h"

#include <gtest/gtest.h>

#include "testing/message_of.h"

namespace ssd {
namespace {

TEST(AugmentOptions, AShorthandAndItsNamesAreTheSame) {
  EXPECT_EQ(augment_options("all"), AugmentOptions{});
  EXPECT_EQ(augment_options("colour,crop,flip"), AugmentOptions{});
  EXPECT_EQ(augment_options("crop-flip"), augment_options("flip,crop"));
  EXPECT_EQ(augment_options("none"), (AugmentOptions{.crop = false, .flip = false, .colour = false}));
  EXPECT_EQ(augment_options("all,zoom-out"), (AugmentOptions{.zoom_out = true}));
}

TEST(AugmentOptions, RetriesAndStrongColoursTakeTheRecipesPlace) {
  EXPECT_EQ(augment_options("crop-retry,crop"), augment_options("crop-retry"));
  EXPECT_EQ(augment_options("crop-retry").crop_attempts, 50);
  EXPECT_TRUE(augment_options("crop-retry").crop);
  EXPECT_TRUE(augment_options("all,strong-colour").strong_colour);
  EXPECT_TRUE(augment_options("strong-colour").colour);
}

TEST(AugmentOptions, ATextSaysTheSameWhateverTheOrderOfNames) {
  for (const char* text : {"all", "crop-flip", "flip", "none", "crop", "colour", "vertical-flip",
                           "mosaic,zoom-out,crop-retry,flip,vertical-flip,strong-colour"})
    EXPECT_EQ(augment_text(augment_options(text)), text);
  EXPECT_EQ(augment_text(augment_options("flip,crop,colour")), "all");
  EXPECT_EQ(augment_text(augment_options("strong-colour,zoom-out,all")), "zoom-out,crop,flip,strong-colour");
}

std::string refusal(std::string_view list) {
  return message_of([&] { augment_options(list); });
}

TEST(AugmentOptions, AnUnknownNameIsToldAllThatThereAre) {
  EXPECT_EQ(refusal("flip,blur"),
            "augment: got \"blur\", expected names of all, crop-flip, none, crop, flip, colour, mosaic, "
            "zoom-out, crop-retry, vertical-flip, strong-colour with commas between them");
  EXPECT_NE(refusal(""), "");
  EXPECT_NE(refusal("flip,"), "");
  EXPECT_EQ(refusal("none,flip"), "augment: none stands alone, got \"none,flip\"");
}

}  // namespace
}  // namespace ssd
