# The packages, which CPack makes of the programs (`cpack --preset release`), built first where they are not:
# two of Debian's, with shared libraries, and an archive with the fdcapture that needs none.
set(folder ${CMAKE_CURRENT_LIST_DIR})
set(CPACK_PACKAGE_NAME fdmortem)
set(CPACK_PACKAGE_VENDOR "the authors of fdmortem")
set(FDMORTEM_PACKAGE_CONTACT "the authors of fdmortem <fdmortem@localhost>" CACHE STRING
    "Name and address of who makes packages of it")
set(CPACK_PACKAGE_CONTACT ${FDMORTEM_PACKAGE_CONTACT})
set(CPACK_VERBATIM_VARIABLES ON)
set(CPACK_STRIP_FILES ON)
set(CPACK_COMPONENTS_GROUPING IGNORE)
set(CPACK_GENERATOR DEB)
if(FDMORTEM_STATIC)
  list(APPEND CPACK_GENERATOR TGZ)
endif()
set(CPACK_INSTALL_COMMANDS "\"${CMAKE_COMMAND}\" --build \"${PROJECT_BINARY_DIR}\" --target product")
set(CPACK_PROJECT_CONFIG_FILE ${folder}/of-generator.cmake)
set(CPACK_PRE_BUILD_SCRIPTS ${folder}/finish.cmake)

# --- Debian ---

set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_SECTION admin)
set(CPACK_DEBIAN_PACKAGE_RELEASE 1)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_DEBIAN_CAPTURE_PACKAGE_NAME fdmortem-capture)
set(CPACK_DEBIAN_CAPTURE_PACKAGE_SUGGESTS fdmortem-analyze)
set(CPACK_DEBIAN_CAPTURE_PACKAGE_CONTROL_EXTRA ${folder}/prerm ${folder}/postrm)
set(CPACK_DEBIAN_CAPTURE_DESCRIPTION
    "recorder of the file descriptors of processes
fdcapture archives what the kernel says of the file descriptors of chosen
processes, snapshot after snapshot, in one SQLite file, and what is left of
their connections. The package fdmortem-analyze reads it.")
set(CPACK_DEBIAN_ANALYZE_PACKAGE_NAME fdmortem-analyze)
set(CPACK_DEBIAN_ANALYZE_DESCRIPTION
    "finder of file descriptors that outlived their connections
fdanalyze reads the archives of fdcapture and writes the incident report:
which file descriptors outlived their connections, who the peers were, how
fast their number grows, and what could not be seen.")

# What only packages hold, so no `cmake --install` has it.
string(TIMESTAMP date "%a, %d %b %Y %H:%M:%S +0000" UTC)  # of SOURCE_DATE_EPOCH, if that is set
configure_file(${folder}/changelog.in ${PROJECT_BINARY_DIR}/changelog.Debian @ONLY)
foreach(component capture analyze)
  set(documents ${CMAKE_INSTALL_DATADIR}/doc/fdmortem-${component})
  install(FILES ${folder}/copyright DESTINATION ${documents} COMPONENT ${component} EXCLUDE_FROM_ALL)
  install(FILES ${PROJECT_SOURCE_DIR}/CHANGELOG.md DESTINATION ${documents} RENAME changelog
          COMPONENT ${component} EXCLUDE_FROM_ALL)
  install(FILES ${PROJECT_BINARY_DIR}/changelog.Debian DESTINATION ${documents}
          COMPONENT ${component} EXCLUDE_FROM_ALL)
  install(FILES ${folder}/lintian-${component} DESTINATION ${CMAKE_INSTALL_DATADIR}/lintian/overrides
          RENAME fdmortem-${component} COMPONENT ${component} EXCLUDE_FROM_ALL)
endforeach()

# --- the archive with the static program: a folder with what belongs in /usr/local ---

if(FDMORTEM_STATIC)
  set(CPACK_ARCHIVE_COMPONENT_INSTALL ON)
  set(CPACK_ARCHIVE_STATIC_FILE_NAME fdcapture-static-${PROJECT_VERSION}-${CMAKE_SYSTEM_PROCESSOR})
  set(documents ${CMAKE_INSTALL_DATADIR}/doc/fdmortem)
  install(PROGRAMS $<TARGET_FILE:fdcapture-static> DESTINATION ${CMAKE_INSTALL_BINDIR} RENAME fdcapture
          COMPONENT static EXCLUDE_FROM_ALL)
  install(FILES ${PROJECT_SOURCE_DIR}/capture/fdcapture.service DESTINATION lib/systemd/system
          COMPONENT static EXCLUDE_FROM_ALL)
  install(FILES ${PROJECT_SOURCE_DIR}/capture/fdcapture.env DESTINATION ${documents}/examples
          COMPONENT static EXCLUDE_FROM_ALL)
  install(FILES ${folder}/copyright DESTINATION ${documents} COMPONENT static EXCLUDE_FROM_ALL)
  if(SCDOC)
    install(FILES ${PROJECT_BINARY_DIR}/capture/fdcapture.1 DESTINATION ${CMAKE_INSTALL_MANDIR}/man1
            COMPONENT static EXCLUDE_FROM_ALL)
  endif()
  # Its libraries are in it, so their notices go with it.
  foreach(library libsqlite3-dev libsodium-dev libzstd-dev libc6-dev gcc-12-base libsqlitecpp-dev
          libcli11-dev libfmt-dev nlohmann-json3-dev libexpected-dev)
    set(notice /usr/share/doc/${library}/copyright)
    if(EXISTS ${notice})
      install(FILES ${notice} DESTINATION ${documents}/libraries RENAME ${library}
              COMPONENT static EXCLUDE_FROM_ALL)
    endif()
  endforeach()
endif()

include(CPack)
