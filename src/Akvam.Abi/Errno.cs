namespace Akvam.Abi;

/// <summary>
/// Linux error numbers that KVM's ioctls answer with, with the values of x86-64. An ioctl returns <c>-1</c> and sets <c>errno</c>;
/// Akvam carries the positive number.
/// </summary>
public enum Errno
{
    EPERM = 1,
    ENOENT = 2,
    ESRCH = 3,
    EINTR = 4,
    EIO = 5,
    ENXIO = 6,
    E2BIG = 7,
    ENOEXEC = 8,
    EBADF = 9,
    EAGAIN = 11,
    ENOMEM = 12,
    EACCES = 13,
    EFAULT = 14,
    EBUSY = 16,
    EEXIST = 17,
    EXDEV = 18,
    ENODEV = 19,
    EINVAL = 22,
    ENFILE = 23,
    EMFILE = 24,
    ENOTTY = 25,
    EFBIG = 27,
    ENOSPC = 28,
    EPIPE = 32,
    EDOM = 33,
    ERANGE = 34,
    ENOSYS = 38,
    ETIME = 62,
    EOVERFLOW = 75,
    EOPNOTSUPP = 95,
}
