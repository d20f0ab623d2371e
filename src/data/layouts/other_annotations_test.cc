#include "data/layouts/other_annotations.h"

#include <gtest/gtest.h>

#include <utility>

#include "base/error.h"
#include "data/layouts/data_folder.h"
#include "testing/import_folder.h"

namespace ssd {
namespace {

using OtherAnnotationsTest = FolderTest;

TEST_F(OtherAnnotationsTest, FormatsThatAreNotReadAreToldByWhatTheyAre) {
  const std::pair<const char*, std::pair<const char*, const char*>> samples[] = {
      {"LabelMe's annotations",
       {"a.json",
        R"({"version": "5.0.1", "flags": {}, "shapes": [{"label": "cat", "points": [[1, 2], [3, 4]]}]})"}},
      {"annotations of the VGG Image Annotator",
       {"via.json",
        R"({"a.jpg12": {"filename": "a.jpg", "regions": [{"shape_attributes": {"name": "rect"}}]}})"}},
      {"annotations of the VGG Image Annotator",
       {"via.csv", "filename,file_size,region_count,region_shape_attributes\na.jpg,12,1,x\n"}},
      {"CreateML's annotations",
       {"_annotations.createml.json",
        R"([{"image":"a.jpg","annotations":[{"label":"cat","coordinates":{"x":20,"y":20}}]}])"}},
      {"Label Studio's own export",
       {"project.json",
        R"([{"id": 1, "annotations": [{"result": [{"value": {"rectanglelabels": ["cat"]}}]}]}])"}},
      {"Supervisely's annotations",
       {"ann/a.jpg.json", R"({"objects": [{"classTitle": "cat", "geometryType": "rectangle"}]})"}},
      {"Datumaro's annotations",
       {"default.json",
        R"({"info": {}, "categories": {"label": {"labels": [{"name": "cat"}]}}, "items": []})"}},
      {"BDD100K's labels", {"det.json", R"([{"name": "a.jpg", "labels": [{"box2d": {"x1": 1}}]}])"}},
      {"a list of boxes alone",
       {"found.json", R"([{"image_id": 1, "category_id": 1, "bbox": [1, 2, 3, 4]}])"}},
      {"annotations as Hugging Face's image folders have them",
       {"metadata.jsonl", R"({"file_name": "a.jpg", "objects": {"bbox": [[1, 2, 3, 4]]}})"}},
      {"a table of boxes", {"_annotations.csv", "filename,width,height,class,xmin,ymin,xmax,ymax\n"}},
      {"a table of boxes", {"boxes.csv", "train/a.jpg,10,10,30,30,cat\n"}},
      {"a table of boxes", {"train-bbox.csv", "ImageID,Source,LabelName,Confidence,XMin,XMax,YMin,YMax\n"}},
      {"TensorFlow's records", {"cells.tfrecord", "\1\2"}},
      {"a list of images with their boxes in pixels",
       {"_annotations.txt", "a.jpg 10,10,30,30,0 1,2,3,4,1\n"}},
      {"KITTI's labels",
       {"0.txt", "Car 0.00 0 -1.58 10.0 10.0 30.0 30.0 1.65 1.67 3.64 -0.65 1.71 46.70 -1.59\n"}},
      {"DOTA's labels",
       {"P1.txt", "imagesource:GoogleEarth\ngsd:0.1\n1.0 1.0 4.0 1.0 4.0 3.0 1.0 3.0 plane 0\n"}},
      {"dlib's annotations",
       {"t.xml", "<?xml version='1.0'?><dataset><images><image file='a.jpg'><box top='1'/>"}},
  };
  for (const auto& [name, file] : samples) {
    std::filesystem::remove_all(root_ / "set");
    write(std::string("set/") + file.first, file.second);
    write_jpeg("set/a.jpg", 40, 30);
    const auto found = find_other_annotations(root_ / "set");
    ASSERT_EQ(found.size(), 1u) << file.first;
    EXPECT_TRUE(found[0].text.starts_with(name)) << file.first << ": " << found[0].text;
    // Whoever takes the folder for a data set is told.
    DataFolder folder(root_ / "set");
    EXPECT_EQ(folder.kind(), DataKind::none) << file.first;
    EXPECT_TRUE(contains(folder.seen(), std::string(file.first) + ": " + name)) << folder.seen();
  }
}

TEST_F(OtherAnnotationsTest, OtherFilesAreNone) {
  write("classes.txt", "cat\ndog\n");
  write("a.txt", "0 0.5 0.5 1 1\n");
  write("notes.csv", "a.jpg,cat\nb.jpg,dog\n");
  write("package.json", R"({"version": "1.0", "name": "tool"})");
  write("list.txt", std::string(5000, '1'));
  write("empty.json", "");
  EXPECT_TRUE(find_other_annotations(root_).empty());
}

}  // namespace
}  // namespace ssd
