/* What ends KVM_RUN: immediate_exit, any handled signal, KVM_SET_SIGNAL_MASK; and that a halted vCPU does not use the processor. */
#include "client.h"

static const unsigned char loop[] = {0xEB, 0xFE};       /* jmp $ */
static const unsigned char halt[] = {0xFB, 0xF4, 0xEB, 0xFD}; /* sti; hlt; jmp to hlt */

static volatile sig_atomic_t handled;
static volatile int handled_value;
static volatile pthread_t handled_on;
static struct machine m;

static void on_signal(int signal)
{
    (void)signal;
    handled++;
    handled_on = pthread_self();
}

static void on_signal_info(int signal, siginfo_t *info, void *context)
{
    (void)signal;
    (void)context;
    handled++;
    handled_value = info->si_value.sival_int;

    /* A handler runs outside of KVM_RUN, so it may use KVM. */
    struct kvm_regs regs;
    CHECK(ioctl(m.vcpu, KVM_GET_REGS, &regs) == 0);
}

static void start_timer(int milliseconds)
{
    struct itimerval timer = {.it_value = {.tv_usec = milliseconds * 1000}};
    CHECK(setitimer(ITIMER_REAL, &timer, NULL) == 0);
}

static double cpu_seconds(void)
{
    struct rusage usage;
    CHECK(getrusage(RUSAGE_THREAD, &usage) == 0);
    return usage.ru_utime.tv_sec + usage.ru_stime.tv_sec + (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static void *send_later(void *target)
{
    usleep(30000);
    union sigval value = {.sival_int = 4711};
    CHECK(pthread_sigqueue(*(pthread_t *)target, SIGUSR2, value) == 0);
    return NULL;
}

static void *kill_later(void *target)
{
    usleep(30000);
    CHECK(pthread_kill(*(pthread_t *)target, SIGUSR1) == 0);
    return NULL;
}

int main(void)
{
    m = make_machine(loop, sizeof loop, 0);

    m.run->immediate_exit = 1;
    REFUSED(EINTR, ioctl(m.vcpu, KVM_RUN, 0));
    m.run->immediate_exit = 0;

    /* A handler from before KVM was opened, one from signal(), one with information. */
    CHECK(signal(SIGALRM, on_signal) == SIG_DFL);
    CHECK(signal(SIGALRM, on_signal) == on_signal);
    start_timer(30);
    REFUSED(EINTR, ioctl(m.vcpu, KVM_RUN, 0));
    CHECK(handled == 1 && pthread_equal(handled_on, pthread_self()));
    CHECK(m.run->exit_reason == KVM_EXIT_INTR);

    struct sigaction action = {.sa_sigaction = on_signal_info, .sa_flags = SA_SIGINFO | SA_RESTART}, old;
    CHECK(sigaction(SIGUSR2, &action, NULL) == 0 && sigaction(SIGUSR2, NULL, &old) == 0);
    CHECK(old.sa_sigaction == on_signal_info && old.sa_flags & SA_SIGINFO);
    pthread_t self = pthread_self(), sender;
    CHECK(pthread_create(&sender, NULL, send_later, &self) == 0);
    REFUSED(EINTR, ioctl(m.vcpu, KVM_RUN, 0));
    CHECK(handled == 2 && handled_value == 4711 && pthread_join(sender, NULL) == 0);

    /* One that was handled before the call does not end it: the next one does. */
    CHECK(raise(SIGALRM) == 0 && handled == 3);
    start_timer(30);
    REFUSED(EINTR, ioctl(m.vcpu, KVM_RUN, 0));
    CHECK(handled == 4);

    /* The first real-time signals are the client's as all others are. */
    CHECK(sigaction(SIGRTMIN, &action, NULL) == 0 && sigaction(SIGRTMIN + 1, &action, NULL) == 0);
    CHECK(raise(SIGRTMIN) == 0 && handled == 5);

    /* A blocked signal that the mask lets through ends the run, and waits. */
    sigset_t set, before, pending;
    sigemptyset(&set);
    sigaddset(&set, SIGALRM);
    CHECK(pthread_sigmask(SIG_BLOCK, &set, &before) == 0);
    struct { struct kvm_signal_mask head; uint64_t set; } mask = {.head.len = 8};
    memcpy(mask.head.sigset, &(uint64_t){0}, 8);
    CHECK(ioctl(m.vcpu, KVM_SET_SIGNAL_MASK, &mask) == 0);
    start_timer(30);
    REFUSED(EINTR, ioctl(m.vcpu, KVM_RUN, 0));
    CHECK(handled == 5 && sigpending(&pending) == 0 && sigismember(&pending, SIGALRM) == 1);
    REFUSED(EINTR, ioctl(m.vcpu, KVM_RUN, 0));
    CHECK(handled == 5);
    struct timespec now = {0};
    CHECK(sigtimedwait(&set, NULL, &now) == SIGALRM);
    CHECK(pthread_sigmask(SIG_SETMASK, &before, NULL) == 0);

    /* So does one that nobody handles, which would end the process if it were delivered. */
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    CHECK(pthread_sigmask(SIG_BLOCK, &set, &before) == 0);
    CHECK(pthread_create(&sender, NULL, kill_later, &self) == 0);
    REFUSED(EINTR, ioctl(m.vcpu, KVM_RUN, 0));
    CHECK(pthread_join(sender, NULL) == 0 && sigtimedwait(&set, NULL, &now) == SIGUSR1);
    CHECK(sigaction(SIGUSR1, NULL, &old) == 0 && old.sa_handler == SIG_DFL);
    CHECK(ioctl(m.vcpu, KVM_SET_SIGNAL_MASK, NULL) == 0 && pthread_sigmask(SIG_SETMASK, &before, NULL) == 0);
    close_machine(&m);

    /* A halted processor with an interrupt controller of KVM's sleeps until the signal. */
    m = make_machine(halt, sizeof halt, 1);
    handled = 0;
    double start = cpu_seconds();
    start_timer(900);
    REFUSED(EINTR, ioctl(m.vcpu, KVM_RUN, 0));
    CHECK(handled == 1 && cpu_seconds() - start < 0.5);
    m.run->immediate_exit = 1;
    REFUSED(EINTR, ioctl(m.vcpu, KVM_RUN, 0));
    close_machine(&m);
    return 0;
}
