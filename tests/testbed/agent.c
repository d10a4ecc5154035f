/* agent.c: process 1 of a host of the test bed. Runs one command, and carries its streams over a virtio-serial port.
 *
 * What passes over the port are frames: a letter, a length (32 bits, little-endian), so many octets.
 *   to the one who started the bed   R  the command has been started
 *                                    O, E  what it wrote on standard output, on standard error
 *                                    F, D  a file that was asked for: its number (32 bits); its contents, piece by
 * piece N  a file that cannot be had: its number, and why S  the exit status (32 bits); the last frame from there I
 * standard input; its end if it has no octets What is to be done stands in the directory of the bed, each list with an
 * octet 0 behind every entry: command, environment, files (to bring back), directory (where the command is run).
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#define BED    "/.testbed/"
#define PORTS  "/sys/class/virtio-ports/"
#define HEADER 5
#define PIECE  (32 * 1024)

enum { CANNOT_RUN = 126, NOT_FOUND = 127, SIGNALLED = 128 };

static int port = -1;

/* Standard input on its way: octets that came from the port and have not been taken yet. */
struct input {
    int pipe; /* -1: closed, what still comes is dropped */
    unsigned char data[PIECE];
    size_t length, position;
    unsigned char header[HEADER];
    size_t header_length;
    uint32_t left; /* of the frame */
};

static void die(const char *what)
{
    fprintf(stderr, "agent: %s: %s\n", what, strerror(errno));
    exit(1); /* which ends the kernel, and with it the bed */
}

static void write_all(const void *data, size_t length)
{
    const char *next = data;
    while (length > 0) {
        ssize_t done = write(port, next, length);
        if (done < 0 && errno != EINTR && errno != EAGAIN)
            die("virtio-serial");
        if (done > 0) {
            next += done;
            length -= (size_t)done;
        }
    }
}

static void put_number(unsigned char *to, uint32_t number)
{
    for (int i = 0; i < 4; i++)
        to[i] = (unsigned char)(number >> (8 * i));
}

static uint32_t get_number(const unsigned char *from)
{
    return from[0] | (uint32_t)from[1] << 8 | (uint32_t)from[2] << 16 | (uint32_t)from[3] << 24;
}

static void send_frame(char kind, const void *data, size_t length)
{
    unsigned char header[HEADER] = {(unsigned char)kind};
    put_number(header + 1, (uint32_t)length);
    write_all(header, sizeof(header));
    write_all(data, length);
}

static void send_number(char kind, uint32_t number)
{
    unsigned char data[4];
    put_number(data, number);
    send_frame(kind, data, sizeof(data));
}

/* The port comes a moment after the driver. */
static void open_port(void)
{
    for (int attempt = 0; attempt < 3000; attempt++) {
        DIR *ports = opendir(PORTS);
        struct dirent *entry;
        while (ports && (entry = readdir(ports))) {
            char path[sizeof(PORTS) + sizeof(entry->d_name) + 8];
            snprintf(path, sizeof(path), "/dev/%s", entry->d_name);
            if (entry->d_name[0] != '.' && (port = open(path, O_RDWR | O_CLOEXEC)) >= 0)
                break;
        }
        if (ports)
            closedir(ports);
        if (port >= 0)
            return;
        usleep(10000);
    }
    die("no virtio-serial port");
}

/* Returns a new list of the entries of a file, with NULL behind them. */
static char **read_list(const char *path)
{
    FILE *file = fopen(path, "re");
    if (!file)
        die(path);
    char **list = calloc(1, sizeof(*list));
    size_t count = 0, room = 0;
    char *entry = NULL;
    while (list && getdelim(&entry, &room, 0, file) >= 0) {
        char **longer = realloc(list, (count + 2) * sizeof(*list));
        if (!longer)
            die("memory");
        list = longer;
        list[count++] = entry;
        list[count] = NULL;
        entry = NULL;
        room = 0;
    }
    if (!list)
        die("memory");
    free(entry);
    fclose(file);
    return list;
}

static void make_pipe(int ends[2])
{
    if (pipe2(ends, O_CLOEXEC))
        die("pipe");
}

static void run(char **command, char **environment, const char *directory)
{
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    signal(SIGPIPE, SIG_DFL);
    setsid();
    clearenv();
    for (char **entry = environment; *entry; entry++)
        putenv(*entry);
    if (chdir(directory))
        fprintf(stderr, "testbed: %s: %s\n", directory, strerror(errno));
    else
        execvp(command[0], command);
    int error = errno;
    fprintf(stderr, "testbed: cannot run %s: %s\n", command[0], strerror(error));
    _exit(error == ENOENT ? NOT_FOUND : CANNOT_RUN);
}

static pid_t start(struct input *input, int *out, int *err)
{
    char **command = read_list(BED "command"), **environment = read_list(BED "environment");
    char **directory = read_list(BED "directory");
    int in_ends[2], out_ends[2], err_ends[2];
    make_pipe(in_ends);
    make_pipe(out_ends);
    make_pipe(err_ends);
    pid_t child = fork();
    if (child < 0)
        die("fork");
    if (child == 0) {
        dup2(in_ends[0], STDIN_FILENO);
        dup2(out_ends[1], STDOUT_FILENO);
        dup2(err_ends[1], STDERR_FILENO);
        run(command, environment, directory[0]);
    }
    close(in_ends[0]);
    close(out_ends[1]);
    close(err_ends[1]);
    input->pipe = in_ends[1];
    *out = out_ends[0];
    *err = err_ends[0];
    fcntl(input->pipe, F_SETFL, O_NONBLOCK);
    fcntl(*out, F_SETFL, O_NONBLOCK);
    fcntl(*err, F_SETFL, O_NONBLOCK);
    return child;
}

/* Sends a piece of what the command wrote. Returns whether there was one; at the end the pipe is closed. */
static int forward(char kind, int *pipe)
{
    static unsigned char data[PIECE];
    ssize_t length = *pipe < 0 ? -1 : read(*pipe, data, sizeof(data));
    if (length > 0)
        send_frame(kind, data, (size_t)length);
    if (length == 0) {
        close(*pipe);
        *pipe = -1;
    }
    return length > 0;
}

static void close_input(struct input *input)
{
    if (input->pipe >= 0)
        close(input->pipe);
    input->pipe = -1;
}

/* Hands on what has come, as far as the command takes it now. */
static void feed(struct input *input)
{
    while (input->position < input->length) {
        if (input->left == 0) {
            input->header[input->header_length++] = input->data[input->position++];
            if (input->header_length < HEADER)
                continue;
            input->header_length = 0;
            input->left = get_number(input->header + 1);
            if (input->left == 0)
                close_input(input);
            continue;
        }
        size_t length = input->length - input->position;
        ssize_t done = (ssize_t)(length < input->left ? length : input->left);
        if (input->pipe >= 0) {
            ssize_t taken = write(input->pipe, input->data + input->position, (size_t)done);
            if (taken < 0 && (errno == EAGAIN || errno == EINTR))
                return;
            if (taken < 0)
                close_input(input); /* it does not read any more */
            else
                done = taken;
        }
        input->position += (size_t)done;
        input->left -= (uint32_t)done;
    }
}

static void receive(struct input *input)
{
    ssize_t length = read(port, input->data, sizeof(input->data));
    input->position = 0;
    input->length = length > 0 ? (size_t)length : 0;
    feed(input);
}

/* Buries all that has ended. Returns 1 when the command is among it. */
static int reap(int signals, pid_t command, int *status)
{
    struct signalfd_siginfo info;
    int found = 0, how;
    pid_t process;
    if (read(signals, &info, sizeof(info)) < 0 && errno != EAGAIN)
        die("signalfd");
    while ((process = waitpid(-1, &how, WNOHANG)) > 0)
        if (process == command) {
            *status = WIFSIGNALED(how) ? SIGNALLED + WTERMSIG(how) : WEXITSTATUS(how);
            found = 1;
        }
    return found;
}

/* Carries the streams until the command has ended; returns its exit status. */
static int attend(int signals)
{
    struct input input = {.pipe = -1};
    int out, err, status = 0, ended = 0;
    pid_t command = start(&input, &out, &err);
    send_frame('R', "", 0);
    while (!ended) {
        int waiting = input.position < input.length; /* for the command to take its input */
        struct pollfd polls[] = {
            {.fd = signals, .events = POLLIN},
            {.fd = out, .events = POLLIN},
            {.fd = err, .events = POLLIN},
            {.fd = waiting ? input.pipe : -1, .events = POLLOUT},
            {.fd = waiting ? -1 : port, .events = POLLIN},
        };
        if (poll(polls, sizeof(polls) / sizeof(polls[0]), -1) < 0 && errno != EINTR)
            die("poll");
        if (polls[1].revents)
            forward('O', &out);
        if (polls[2].revents)
            forward('E', &err);
        if (polls[3].revents)
            feed(&input);
        if (polls[4].revents & POLLIN)
            receive(&input);
        if (polls[0].revents)
            ended = reap(signals, command, &status);
    }
    /* What it left in the pipes. What its children write from now on belongs to nobody. */
    while (forward('O', &out) || forward('E', &err))
        continue;
    return status;
}

static void send_file(uint32_t number, const char *path)
{
    static unsigned char data[PIECE];
    FILE *file = fopen(path, "re");
    size_t length = 0;
    if (file) {
        errno = 0;
        length = fread(data, 1, sizeof(data), file); /* a directory opens, but does not read */
    }
    if (!file || ferror(file)) {
        put_number(data, number);
        size_t text = (size_t)snprintf((char *)data + 4, 256, "%s", strerror(errno));
        send_frame('N', data, 4 + text);
    } else {
        send_number('F', number);
        for (; length > 0; length = fread(data, 1, sizeof(data), file))
            send_frame('D', data, length);
    }
    if (file)
        fclose(file);
}

int main(void)
{
    sigset_t children;
    sigemptyset(&children);
    sigaddset(&children, SIGCHLD);
    sigprocmask(SIG_BLOCK, &children, NULL);
    signal(SIGPIPE, SIG_IGN);
    int signals = signalfd(-1, &children, SFD_CLOEXEC | SFD_NONBLOCK);
    if (signals < 0)
        die("signalfd");
    open_port();
    int status = attend(signals);
    char **files = read_list(BED "files");
    for (uint32_t i = 0; files[i]; i++)
        send_file(i, files[i]);
    send_number('S', (uint32_t)status);
    /* The other host may still need this one: who started the bed ends it. */
    for (;;) {
        struct pollfd wait = {.fd = signals, .events = POLLIN};
        poll(&wait, 1, -1);
        reap(signals, -1, &status);
    }
}
