using Akvam.Abi;

namespace Akvam.Preload;

/// <summary>Structures at addresses that the client gave, whatever these are.</summary>
/// <remarks>Valid because the C library's copy stops at an address that cannot be accessed, and our side of it is always a local or pinned.</remarks>
internal readonly unsafe struct ClientMemory(NativeCalls* native)
{
    /// <exception cref="KvmException">EFAULT.</exception>
    public T Read<T>(ulong address)
        where T : unmanaged
    {
        T value;
        Copy(&value, (void*)address, (ulong)sizeof(T));
        return value;
    }

    /// <exception cref="KvmException">EFAULT.</exception>
    public void Write<T>(ulong address, in T value)
        where T : unmanaged
    {
        fixed (T* from = &value)
        {
            Copy((void*)address, from, (ulong)sizeof(T));
        }
    }

    /// <exception cref="KvmException">EFAULT.</exception>
    public void Read<T>(ulong address, Span<T> values)
        where T : unmanaged
    {
        fixed (T* to = values)
        {
            Copy(to, (void*)address, (ulong)values.Length * (ulong)sizeof(T));
        }
    }

    /// <exception cref="KvmException">EFAULT.</exception>
    public void Write<T>(ulong address, ReadOnlySpan<T> values)
        where T : unmanaged
    {
        fixed (T* from = values)
        {
            Copy((void*)address, from, (ulong)values.Length * (ulong)sizeof(T));
        }
    }

    private void Copy(void* to, void* from, ulong size)
    {
        if (native->Copy(to, from, size) != 0)
        {
            throw new KvmException(Errno.EFAULT, "an address of the client");
        }
    }
}
