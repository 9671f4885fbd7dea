/* What POSIX and Windows call by different names: threads, locks, and a clock. */
#ifndef FASTINIT_SYSTEM_H
#define FASTINIT_SYSTEM_H

#include <stdbool.h>

/* A moment's rest of a thread that looks again and again. */
static inline void fi_relax(void) {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("isb");
#endif
}

#ifdef _WIN32
#define WIN32_LEAN_AND_MEAN
#include <windows.h>

typedef HANDLE fi_thread;
#define FI_THREAD(name, argument) static DWORD WINAPI name(void *argument)
static inline bool fi_thread_start(fi_thread *thread, LPTHREAD_START_ROUTINE run) {
    *thread = CreateThread(NULL, 0, run, NULL, 0, NULL);
    return *thread != NULL;
}

typedef SRWLOCK fi_mutex;
typedef CONDITION_VARIABLE fi_condition;
#define FI_MUTEX SRWLOCK_INIT
#define FI_CONDITION CONDITION_VARIABLE_INIT
static inline void fi_lock(fi_mutex *lock) { AcquireSRWLockExclusive(lock); }
static inline void fi_unlock(fi_mutex *lock) { ReleaseSRWLockExclusive(lock); }
static inline void fi_wait(fi_condition *condition, fi_mutex *lock) {
    SleepConditionVariableSRW(condition, lock, INFINITE, 0);
}
static inline void fi_wake_one(fi_condition *condition) { WakeConditionVariable(condition); }
static inline void fi_wake_all(fi_condition *condition) { WakeAllConditionVariable(condition); }

static inline double fi_seconds(void) { return 1e-3 * (double)GetTickCount64(); }
#else
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <time.h>

typedef pthread_t fi_thread;
#define FI_THREAD(name, argument) static void *name(void *argument)
/* A thread that the process's signals do not reach, except those of its own faults: they are for the program's own. */
static inline bool fi_thread_start(fi_thread *thread, void *(*run)(void *)) {
    static const int faults[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL};
    sigset_t sent, before;
    sigfillset(&sent);
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) sigdelset(&sent, faults[i]);
    if (pthread_sigmask(SIG_SETMASK, &sent, &before)) return false;
    const bool started = pthread_create(thread, NULL, run, NULL) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return started;
}
static inline void fi_thread_join(fi_thread thread) { pthread_join(thread, NULL); }

typedef pthread_mutex_t fi_mutex;
typedef pthread_cond_t fi_condition;
#define FI_MUTEX PTHREAD_MUTEX_INITIALIZER
#define FI_CONDITION PTHREAD_COND_INITIALIZER
static inline void fi_lock(fi_mutex *lock) { pthread_mutex_lock(lock); }
static inline void fi_unlock(fi_mutex *lock) { pthread_mutex_unlock(lock); }
static inline void fi_wait(fi_condition *condition, fi_mutex *lock) { pthread_cond_wait(condition, lock); }
static inline void fi_wake_one(fi_condition *condition) { pthread_cond_signal(condition); }
static inline void fi_wake_all(fi_condition *condition) { pthread_cond_broadcast(condition); }

static inline double fi_seconds(void) {
    struct timespec now;
    timespec_get(&now, TIME_UTC);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}
#endif

#endif
