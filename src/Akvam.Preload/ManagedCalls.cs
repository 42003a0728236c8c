using System.Runtime.InteropServices;

namespace Akvam.Preload;

/// <summary>What the C library calls: <c>akvam_managed_calls</c>.</summary>
/// <remarks>Valid because functions of a loaded assembly stay where they are.</remarks>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct ManagedCalls
{
    public delegate* unmanaged[Cdecl]<NativeCalls*, int, long> Open;
    public delegate* unmanaged[Cdecl]<long, uint, ulong, long> Ioctl;
    public delegate* unmanaged[Cdecl]<long, void> Close;
}
