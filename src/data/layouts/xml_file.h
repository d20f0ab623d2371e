// XML annotations in memory.
#pragma once

#include <cstddef>
#include <filesystem>
#include <pugixml.hpp>
#include <string>
#include <string_view>

namespace ssd {

// An XML file, able to say on which line a node stands.
class XmlFile {
 public:
  // Takes any encoding that it declares (decode_xml). Throws Error (file and line) for what is no XML.
  explicit XmlFile(const std::filesystem::path& path);

  pugi::xml_node root() const { return document_.document_element(); }

  // Throws Error: "a.xml:5: <xmax> got "three", expected a number; mend the file or remove it".
  [[noreturn]] void fail(pugi::xml_node node, std::string_view problem) const;

  // The number in the child of that name, or in the attribute. Both fail where there is none.
  double number(pugi::xml_node parent, const char* name) const;
  double attribute(pugi::xml_node node, const char* name) const;

 private:
  std::string where(std::ptrdiff_t offset) const;

  std::filesystem::path path_;
  std::string text_;
  pugi::xml_document document_;
};

}  // namespace ssd
