# Writes files as C++ string literals {"name", "content"}: cmake -DOUT=FILE -DFILES=a;b -P embed_files.cmake
set(text "")
foreach(path IN LISTS FILES)
  get_filename_component(name ${path} NAME)
  file(READ ${path} content)
  string(APPEND text "{\"${name}\", R\"page_file(${content})page_file\"},\n")
endforeach()
file(WRITE ${OUT} "${text}")
