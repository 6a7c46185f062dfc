# The checker of mappings and the reports on them.
include(${PROJECT_SOURCE_DIR}/backends/loihi/report/report.cmake)
foreach(name check check_mapper)
  add_executable(loihi_${name}_test ${name}_test.cpp small_mapping.cpp)
  target_link_libraries(loihi_${name}_test PRIVATE lasnn_loihi_report lasnn_loihi_testing)
  gtest_discover_tests(loihi_${name}_test PROPERTIES TIMEOUT 600 LABELS loihi)
endforeach()
