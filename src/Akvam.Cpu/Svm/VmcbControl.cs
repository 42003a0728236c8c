using System.Runtime.InteropServices;

namespace Akvam.Cpu.Svm;

/// <summary>Control area of a VMCB, its first 1024 bytes. [APM2 B.1]</summary>
/// <remarks>Valid because all of it is in the struct itself.</remarks>
[StructLayout(LayoutKind.Explicit, Size = Size)]
public unsafe struct VmcbControl
{
    public const int Size = 0x400;

    /// <summary>One bit for each exit code below C0h: bit n of word w is exit code 20h * w + n.</summary>
    [FieldOffset(0x000)]
    public fixed uint Intercepts[6];

    [FieldOffset(0x040)]
    public ulong IopmBase;

    [FieldOffset(0x048)]
    public ulong MsrpmBase;

    [FieldOffset(0x050)]
    public ulong TscOffset;

    [FieldOffset(0x058)]
    public uint Asid;

    [FieldOffset(0x05C)]
    public byte TlbControl;

    /// <summary>V_TPR 7:0, V_IRQ 8, V_INTR_PRIO 19:16, V_IGN_TPR 20, V_INTR_MASKING 24.</summary>
    [FieldOffset(0x060)]
    public uint VirtualInterrupt;

    [FieldOffset(0x064)]
    public uint VirtualVector;

    /// <summary>Bit 0: interrupt shadow.</summary>
    [FieldOffset(0x068)]
    public ulong InterruptState;

    [FieldOffset(0x070)]
    public ulong ExitCode;

    [FieldOffset(0x078)]
    public ulong ExitInfo1;

    [FieldOffset(0x080)]
    public ulong ExitInfo2;

    /// <summary>EXITINTINFO: what was being delivered; the upper half is its error code (<see cref="VmcbEvent"/>).</summary>
    [FieldOffset(0x088)]
    public ulong ExitEvent;

    [FieldOffset(0x090)]
    public ulong NestedControl;

    /// <summary>EVENTINJ: what to deliver first; the upper half is its error code (<see cref="VmcbEvent"/>).</summary>
    [FieldOffset(0x0A8)]
    public ulong InjectedEvent;

    [FieldOffset(0x0B0)]
    public ulong NestedCr3;

    [FieldOffset(0x0B8)]
    public ulong VirtualExtensions;

    [FieldOffset(0x0C0)]
    public uint Clean;

    [FieldOffset(0x0C8)]
    public ulong NextRip;

    public const uint VTprMask = 0xFF, VIrq = 1 << 8, VIgnoreTpr = 1 << 20, VInterruptMasking = 1 << 24;
    public const int VPriorityShift = 16;

    /// <summary>First and last byte, exclusive, of what every #VMEXIT writes in one piece: virtual interrupt to EXITINTINFO.</summary>
    public const int ExitStart = 0x060, ExitEnd = 0x090;

    /// <summary>True when L1 asked for this exit code.</summary>
    public bool Has(uint exitCode) => (Intercepts[exitCode >> 5] >> (int)(exitCode & 31) & 1) != 0;
}
