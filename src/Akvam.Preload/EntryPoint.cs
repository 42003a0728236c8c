using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Akvam.Abi;

namespace Akvam.Preload;

/// <summary>What the C library finds in this assembly. No exception leaves it: each is an errno.</summary>
/// <remarks>Valid because the C library passes the handles that it was given, each until it closed it, and pointers to constants of its own.</remarks>
internal static unsafe class EntryPoint
{
    /// <summary>The first call after the runtime has started: tells C where the others are. Returns 0, or -1 if the two parts do not belong together.</summary>
    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    public static int Start(ManagedCalls* calls, int size)
    {
        if (size != sizeof(ManagedCalls))
        {
            return -1;
        }

        *calls = new ManagedCalls { Open = &Open, Ioctl = &Ioctl, Close = &Close };
        return 0;
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static long Open(NativeCalls* native, int flags)
    {
        try
        {
            var descriptors = new Descriptors(native);
            return descriptors.Create("kvm", flags, FileKind.System, new SystemFile(descriptors));
        }
        catch (Exception exception)
        {
            return Failure(exception);
        }
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static long Ioctl(long handle, uint request, ulong argument)
    {
        try
        {
            return File(handle).Ioctl(request, argument);
        }
        catch (Exception exception)
        {
            return Failure(exception);
        }
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static void Close(long handle)
    {
        try
        {
            KvmFile file = File(handle);
            GCHandle.FromIntPtr((nint)handle).Free();
            file.Close();
        }
        catch (Exception exception)
        {
            Failure(exception);
        }
    }

    private static KvmFile File(long handle) => Unsafe.As<KvmFile>(GCHandle.FromIntPtr((nint)handle).Target!);

    private static long Failure(Exception exception)
    {
        switch (exception)
        {
            case KvmException refused:
                return -(long)refused.Errno;
            case OutOfMemoryException:
                return -(long)Errno.ENOMEM;
            case ObjectDisposedException:
                return -(long)Errno.EIO;
            default:
                // A bug of ours; the client's process is not ours to end.
                Console.Error.WriteLine($"akvam: {exception}");
                return -(long)Errno.EIO;
        }
    }
}
