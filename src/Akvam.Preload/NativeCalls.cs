using System.Runtime.InteropServices;

namespace Akvam.Preload;

/// <summary>What the C library does for us: <c>akvam_native_calls</c>.</summary>
/// <remarks>Valid because it is a constant of the library, which is never unloaded.</remarks>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct NativeCalls
{
    /// <summary>Copies bytes; returns how many are left because an address was bad.</summary>
    public delegate* unmanaged[Cdecl, SuppressGCTransition]<void*, void*, ulong, ulong> Copy;

    /// <summary>Makes a descriptor: name, open flags, bytes to map and where they are. Negative: an errno.</summary>
    public delegate* unmanaged[Cdecl]<byte*, int, long, long*, int> Reserve;

    /// <summary>From now on the descriptor stands for a file of ours: descriptor, kind, handle, kick point, descriptor of the ring of coalesced writes or -1.</summary>
    public delegate* unmanaged[Cdecl]<int, int, long, NativeKick*, int, int> Publish;

    /// <summary>
    /// An address range is guest memory, and a bad access to it the client's error: number (ignored), start, size. With size 0 the range of that number is none any
    /// more. Returns the number; negative: an errno.
    /// </summary>
    public delegate* unmanaged[Cdecl]<int, ulong, ulong, int> Guard;

    /// <summary>Opens what a descriptor stands for once more, for reading only; negative: an errno.</summary>
    public delegate* unmanaged[Cdecl]<int, int> Reopen;

    /// <summary>Closes a descriptor that was not published (or -1) and unmaps its bytes: descriptor, address, size.</summary>
    public delegate* unmanaged[Cdecl]<int, long, long, void> Abandon;
}
