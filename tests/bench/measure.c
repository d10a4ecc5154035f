/*
 * measure.c: runs a program and tells what it took.
 *
 * measure FD PROGRAM [ARGUMENT...]: writes "wall user system resident status\n" to descriptor FD: microseconds, KiB at
 * the peak (ru_maxrss), and what wait4 gave. A program of its own because a process starts with the peak of the one
 * that forked it, so that one has to be small.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static long long now_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000LL + t.tv_nsec / 1000;
}

static long long us(struct timeval t)
{
    return t.tv_sec * 1000000LL + t.tv_usec;
}

int main(int argc, char **argv)
{
    struct rusage usage;
    int status;

    if (argc < 3) {
        fprintf(stderr, "usage: measure FD PROGRAM [ARGUMENT...]\n");
        return EXIT_FAILURE;
    }
    int report = atoi(argv[1]);
    long long started = now_us();
    pid_t child = fork();
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL); /* a benchmark that is stopped leaves nothing running */
        close(report);
        execvp(argv[2], argv + 2);
        perror(argv[2]);
        _exit(127);
    }
    while (child < 0 || wait4(child, &status, 0, &usage) < 0) {
        if (child < 0 || errno != EINTR) {
            perror("measure");
            return EXIT_FAILURE;
        }
    }
    dprintf(report, "%lld %lld %lld %ld %d\n", now_us() - started, us(usage.ru_utime), us(usage.ru_stime),
            usage.ru_maxrss, status);
    return EXIT_SUCCESS;
}
