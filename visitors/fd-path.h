/*
 * fd-path.h: files by their paths, where "/dev/fd/N" is what descriptor N is: not, as Linux has it, what can be opened
 * behind it, which whoever was given the descriptor may have no right to.
 */
#ifndef VISITORS_FD_PATH_H
#define VISITORS_FD_PATH_H

#include <stdbool.h>
#include <sys/types.h>

/* The number in "/dev/fd/N"; -1: it is another path. */
int fd_path_number(const char *path);

/* Was it opened for that (O_RDONLY, O_WRONLY, O_RDWR)? False with errno. */
bool fd_path_allows(int fd, int access);

/*
 * open(2). Of /dev/fd/N a new descriptor of the same open file, whose position and flags it shares; with O_DIRECT,
 * where that one has it not, the file is opened again. -1 with errno: EACCES if it was opened for less than is asked.
 */
int fd_path_open(const char *path, int flags, mode_t mode);

#endif
