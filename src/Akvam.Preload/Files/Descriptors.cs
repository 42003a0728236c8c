using System.Runtime.InteropServices;
using System.Text;
using Akvam.Abi;

namespace Akvam.Preload;

/// <summary>Makes descriptors of the client's process, with the C library's help.</summary>
/// <remarks>Valid because <see cref="NativeCalls"/> is a constant of the library, which is never unloaded.</remarks>
internal sealed unsafe class Descriptors(NativeCalls* native)
{
    private const int O_CLOEXEC = 0x80000;

    public ClientMemory Client { get; } = new(native);

    /// <summary>A descriptor without a mapping.</summary>
    public int Create(string name, int flags, FileKind kind, KvmFile file)
    {
        int descriptor = Reserve(name, flags, 0, out _);
        try
        {
            Publish(descriptor, kind, file, null, -1);
            return descriptor;
        }
        catch
        {
            native->Abandon(descriptor, 0, 0);
            throw;
        }
    }

    /// <summary>A descriptor that the client maps, with the VM's ring of coalesced writes in it: <paramref name="make"/> gets the address of our own mapping of it.</summary>
    public int Create<TFile>(string name, int size, FileKind kind, Func<nint, TFile> make, Func<TFile, KickPoint> kickPoint, int ringFile)
        where TFile : KvmFile
    {
        int descriptor = Reserve(name, O_CLOEXEC, size, out long mapping);
        try
        {
            TFile file = make((nint)mapping);
            KickPoint kick = kickPoint(file);
            var point = new NativeKick { Kicked = kick.Kicked, Requests = kick.Requests, KickBit = kick.KickBit, WakeFile = kick.WakeFile };
            Publish(descriptor, kind, file, &point, ringFile);
            return descriptor;
        }
        catch
        {
            native->Abandon(descriptor, mapping, size);
            throw;
        }
    }

    /// <summary>A descriptor of our own, of memory that clients only get to see through <see cref="Reopen"/>.</summary>
    public int CreateShared(string name, int size, out nint mapping)
    {
        const int O_CLOEXEC = 0x80000;
        int descriptor = Reserve(name, O_CLOEXEC, size, out long address);
        mapping = (nint)address;
        return descriptor;
    }

    /// <summary>Another descriptor of the same memory, for reading, with a position of its own.</summary>
    public int Reopen(int descriptor) => Check(native->Reopen(descriptor));

    public void Close(int descriptor) => native->Abandon(descriptor, 0, 0);

    /// <summary>Bad accesses to this memory are the client's errors from now on.</summary>
    /// <returns>A number for <see cref="Unguard"/>.</returns>
    public int Guard(ulong start, ulong size) => Check(native->Guard(0, start, size));

    public void Unguard(int number) => native->Guard(number, 0, 0);

    /// <summary>Removes our mapping of a descriptor.</summary>
    public void Unmap(nint mapping, int size) => native->Abandon(-1, mapping, size);

    private int Reserve(string name, int flags, int size, out long mapping)
    {
        byte[] text = Encoding.ASCII.GetBytes(name + '\0');
        long address = 0;
        int descriptor;
        fixed (byte* start = text)
        {
            descriptor = Check(native->Reserve(start, flags, size, &address));
        }

        mapping = address;
        return descriptor;
    }

    private void Publish(int descriptor, FileKind kind, KvmFile file, NativeKick* kick, int ringFile)
    {
        GCHandle handle = GCHandle.Alloc(file);
        int result = native->Publish(descriptor, (int)kind, GCHandle.ToIntPtr(handle), kick, ringFile);
        if (result < 0)
        {
            handle.Free();
            Check(result);
        }
    }

    private static int Check(int result) => result >= 0 ? result : throw new KvmException((Errno)(-result), "a descriptor");
}
