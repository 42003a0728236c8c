using Akvam.Abi;

namespace Akvam;

/// <summary>A request that KVM refuses; an ioctl would answer with <c>-1</c> and this <c>errno</c>.</summary>
public sealed class KvmException : Exception
{
    public KvmException(Errno errno, string? message = null)
        : base(message is null ? errno.ToString() : $"{errno}: {message}")
    {
        Errno = errno;
    }

    /// <summary>Why, as the kernel would say it.</summary>
    public Errno Errno { get; }
}
