/* What POSIX and Windows call by different names: threads, and a clock. */
#ifndef FASTINIT_SYSTEM_H
#define FASTINIT_SYSTEM_H

#include <stdbool.h>

#ifdef _WIN32
#define WIN32_LEAN_AND_MEAN
#include <windows.h>

typedef HANDLE fi_thread;
#define FI_THREAD(name, argument) static DWORD WINAPI name(void *argument)
static inline bool fi_thread_start(fi_thread *thread, LPTHREAD_START_ROUTINE run, void *argument) {
    *thread = CreateThread(NULL, 0, run, argument, 0, NULL);
    return *thread != NULL;
}
static inline void fi_thread_join(fi_thread thread) {
    WaitForSingleObject(thread, INFINITE);
    CloseHandle(thread);
}
static inline double fi_seconds(void) { return 1e-3 * (double)GetTickCount64(); }
#else
#include <pthread.h>
#include <time.h>

typedef pthread_t fi_thread;
#define FI_THREAD(name, argument) static void *name(void *argument)
static inline bool fi_thread_start(fi_thread *thread, void *(*run)(void *), void *argument) {
    return pthread_create(thread, NULL, run, argument) == 0;
}
static inline void fi_thread_join(fi_thread thread) { pthread_join(thread, NULL); }
static inline double fi_seconds(void) {
    struct timespec now;
    timespec_get(&now, TIME_UTC);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}
#endif

#endif
