using System.Runtime.InteropServices;

namespace Akvam.Cpu.Memory;

/// <summary>One entry of the data TLB. A word matches when it equals the linear page number shifted left by 12, plus the 12-bit tag.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct TlbEntry
{
    /// <summary>Plain RAM that may be read.</summary>
    public ulong Read;

    /// <summary>Plain RAM that may be written without telling anybody.</summary>
    public ulong Write;

    /// <summary>Writable RAM with decoded code in it: the page's version must be raised with each write.</summary>
    public ulong Tracked;

    /// <summary>Host address minus linear address.</summary>
    public ulong Addend;

    /// <summary>No linear page carries this tag.</summary>
    public const ulong Invalid = ulong.MaxValue;
}
