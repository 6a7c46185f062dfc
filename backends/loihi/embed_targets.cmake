# Writes chip files as C++ string literals: cmake -DOUT=FILE -DTARGETS=a.yaml;b.yaml -P embed_targets.cmake
set(text "")
foreach(target IN LISTS TARGETS)
  get_filename_component(name ${target} NAME_WE)
  file(READ ${target} content)
  string(APPEND text "{\"${name}\", R\"chip(${content})chip\"},\n")
endforeach()
file(WRITE ${OUT} "${text}")
