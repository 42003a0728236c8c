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
            Publish(descriptor, kind, file, null);
            return descriptor;
        }
        catch
        {
            native->Abandon(descriptor, 0, 0);
            throw;
        }
    }

    /// <summary>A descriptor that the client maps: <paramref name="make"/> gets the address of our own mapping of it.</summary>
    public int Create<TFile>(string name, int size, FileKind kind, Func<nint, TFile> make, Func<TFile, KickPoint> kickPoint)
        where TFile : KvmFile
    {
        int descriptor = Reserve(name, O_CLOEXEC, size, out long mapping);
        try
        {
            TFile file = make((nint)mapping);
            KickPoint kick = kickPoint(file);
            var point = new NativeKick { Kicked = kick.Kicked, Requests = kick.Requests, KickBit = kick.KickBit, WakeFile = kick.WakeFile };
            Publish(descriptor, kind, file, &point);
            return descriptor;
        }
        catch
        {
            native->Abandon(descriptor, mapping, size);
            throw;
        }
    }

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

    private void Publish(int descriptor, FileKind kind, KvmFile file, NativeKick* kick)
    {
        GCHandle handle = GCHandle.Alloc(file);
        int result = native->Publish(descriptor, (int)kind, GCHandle.ToIntPtr(handle), kick);
        if (result < 0)
        {
            handle.Free();
            Check(result);
        }
    }

    private static int Check(int result) => result >= 0 ? result : throw new KvmException((Errno)(-result), "a descriptor");
}
