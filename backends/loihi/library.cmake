# lasnn_loihi: chips, mapper, checker, simulator and reports. Needs no MLIR.
if(NOT TARGET lasnn_loihi)
  find_package(yaml-cpp REQUIRED)
  set(targets "")
  foreach(name loihi1 loihi2 tiny)
    list(APPEND targets ${CMAKE_CURRENT_LIST_DIR}/targets/${name}.yaml)
  endforeach()
  set(generated ${PROJECT_BINARY_DIR}/backends/loihi)
  add_custom_command(OUTPUT ${generated}/loihi_targets.inc
    COMMAND ${CMAKE_COMMAND} -DOUT=${generated}/loihi_targets.inc "-DFILES=${targets}" -DPART=NAME_WE -P ${PROJECT_SOURCE_DIR}/cmake/embed_texts.cmake
    DEPENDS ${targets} ${PROJECT_SOURCE_DIR}/cmake/embed_texts.cmake VERBATIM)
  find_package(Protobuf REQUIRED)
  find_package(Threads REQUIRED)
  add_custom_command(OUTPUT ${generated}/lmap.pb.cc ${generated}/lmap.pb.h
    COMMAND protobuf::protoc --cpp_out=${PROJECT_BINARY_DIR} -I${PROJECT_SOURCE_DIR} ${CMAKE_CURRENT_LIST_DIR}/lmap.proto
    DEPENDS ${CMAKE_CURRENT_LIST_DIR}/lmap.proto VERBATIM)
  add_library(lasnn_lmap_proto STATIC ${generated}/lmap.pb.cc ${generated}/lmap.pb.h) # apart: not under our warnings
  target_include_directories(lasnn_lmap_proto SYSTEM PUBLIC ${PROJECT_BINARY_DIR})
  target_link_libraries(lasnn_lmap_proto PUBLIC protobuf::libprotobuf)
  add_library(lasnn_loihi STATIC
    ${CMAKE_CURRENT_LIST_DIR}/chip.cpp ${CMAKE_CURRENT_LIST_DIR}/chip_fields.cpp ${generated}/loihi_targets.inc
    ${CMAKE_CURRENT_LIST_DIR}/lmap.cpp)
  foreach(name lower/axis lower/bounds lower/lower lower/scale encode/list
      map/bound map/core_build map/emit map/hypergraph map/irregular map/map map/metis map/multilevel map/objective map/pack map/parts map/place
      map/sequential map/share map/tile map/tiling map/traffic)
    target_sources(lasnn_loihi PRIVATE ${CMAKE_CURRENT_LIST_DIR}/${name}.cpp)
  endforeach()
  foreach(name program decode host energy simulator)
    target_sources(lasnn_loihi PRIVATE ${CMAKE_CURRENT_LIST_DIR}/sim/${name}.cpp)
  endforeach()
  target_sources(lasnn_loihi PRIVATE ${CMAKE_CURRENT_LIST_DIR}/sanafe/export.cpp)
  find_path(METIS_INCLUDE_DIR metis.h)
  find_library(METIS_LIBRARY metis)
  if(METIS_INCLUDE_DIR AND METIS_LIBRARY)
    target_compile_definitions(lasnn_loihi PRIVATE LASNN_METIS)
    target_include_directories(lasnn_loihi SYSTEM PRIVATE ${METIS_INCLUDE_DIR})
    target_link_libraries(lasnn_loihi PRIVATE ${METIS_LIBRARY})
  else()
    message(STATUS "backends/loihi: no METIS (libmetis-dev), so reports leave out that baseline")
  endif()
  target_include_directories(lasnn_loihi PUBLIC ${PROJECT_SOURCE_DIR} PRIVATE ${generated})
  target_include_directories(lasnn_loihi SYSTEM PRIVATE ${YAML_CPP_INCLUDE_DIR})
  target_link_libraries(lasnn_loihi PUBLIC lasnn_lmap_proto Threads::Threads PRIVATE lasnn::runtime lasnn_options yaml-cpp)
endif()
