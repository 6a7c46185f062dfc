# Writes files as C++ string literals, {"name", R"(content)"}, one a line: cmake -DOUT=FILE -DFILES=a;b [-DPART=NAME_WE] -P embed_texts.cmake
# PART: what of the path is the name, as get_filename_component says it; NAME unless given.
if(NOT PART)
  set(PART NAME)
endif()
set(text "")
foreach(path IN LISTS FILES)
  get_filename_component(name ${path} ${PART})
  file(READ ${path} content)
  string(APPEND text "{\"${name}\", R\"embedded(${content})embedded\"},\n")
endforeach()
file(WRITE ${OUT} "${text}")
