using System.Runtime.InteropServices;

namespace Akvam.Cpu.Smm;

/// <summary>
/// The SMRAM state-save area of processors with long mode: AMD64's map, which KVM and others use whatever the vendor. [APM2 10.2.3]
/// Reserved bytes are 0. The revision says: SMBASE relocation, no I/O restart.
/// </summary>
/// <remarks>Valid as a copy only: guest memory is read and written as a whole.</remarks>
[StructLayout(LayoutKind.Explicit, Size = Size)]
public unsafe struct SmramStateMap64
{
    /// <summary>Bytes of the image.</summary>
    public const int Size = 512;

    /// <summary>Where the image starts, from SMBASE; offsets in the manuals count from SMBASE (or from SMBASE + 8000h).</summary>
    public const int Start = 0xFE00;

    public const uint RevisionId = 0x0002_0064;

    /// <summary>ES.</summary>
    [FieldOffset(0xFE00 - Start)]
    public SmramSegment64 Es;

    [FieldOffset(0xFE10 - Start)]
    public SmramSegment64 Cs;

    /// <summary>SS; its DPL is the CPL.</summary>
    [FieldOffset(0xFE20 - Start)]
    public SmramSegment64 Ss;

    [FieldOffset(0xFE30 - Start)]
    public SmramSegment64 Ds;

    [FieldOffset(0xFE40 - Start)]
    public SmramSegment64 Fs;

    [FieldOffset(0xFE50 - Start)]
    public SmramSegment64 Gs;

    /// <summary>GDTR: limit and base.</summary>
    [FieldOffset(0xFE60 - Start)]
    public SmramSegment64 Gdtr;

    [FieldOffset(0xFE70 - Start)]
    public SmramSegment64 Ldtr;

    /// <summary>IDTR: limit and base.</summary>
    [FieldOffset(0xFE80 - Start)]
    public SmramSegment64 Idtr;

    [FieldOffset(0xFE90 - Start)]
    public SmramSegment64 Tr;

    /// <summary>I/O restart: not implemented, 0.</summary>
    [FieldOffset(0xFEA0 - Start)]
    public ulong IoRestartRip;

    [FieldOffset(0xFEA8 - Start)]
    public ulong IoRestartRcx;

    [FieldOffset(0xFEB0 - Start)]
    public ulong IoRestartRsi;

    [FieldOffset(0xFEB8 - Start)]
    public ulong IoRestartRdi;

    [FieldOffset(0xFEC0 - Start)]
    public uint IoTrap;

    [FieldOffset(0xFEC4 - Start)]
    public uint LocalSmiStatus;

    [FieldOffset(0xFEC8 - Start)]
    public byte IoInstructionRestart;

    [FieldOffset(0xFEC9 - Start)]
    public byte AutoHaltRestart;

    [FieldOffset(0xFECA - Start)]
    public byte NmiMask;

    /// <summary>KVM's extension: bit 0 MOV SS, bit 1 STI.</summary>
    [FieldOffset(0xFECB - Start)]
    public byte InterruptShadow;

    /// <summary>
    /// Akvam's extension, in bytes that others leave zero: debug traps of the last instruction that wait behind the SMI, as in DR6. Other processors keep them inside,
    /// where a migration would lose them.
    /// </summary>
    [FieldOffset(0xFECC - Start)]
    public uint PendingDebug;

    [FieldOffset(0xFED0 - Start)]
    public ulong Efer;

    /// <summary>1 when the SMI interrupted an SVM guest.</summary>
    [FieldOffset(0xFED8 - Start)]
    public ulong SvmGuestFlag;

    /// <summary>Physical address of that guest's VMCB.</summary>
    [FieldOffset(0xFEE0 - Start)]
    public ulong SvmGuestVmcb;

    [FieldOffset(0xFEE8 - Start)]
    public ulong SvmGuestVirtualInterrupt;

    [FieldOffset(0xFEFC - Start)]
    public uint Revision;

    [FieldOffset(0xFF00 - Start)]
    public uint Smbase;

    [FieldOffset(0xFF18 - Start)]
    public ulong Ssp;

    [FieldOffset(0xFF20 - Start)]
    public ulong SvmGuestPat;

    [FieldOffset(0xFF28 - Start)]
    public ulong SvmHostEfer;

    [FieldOffset(0xFF30 - Start)]
    public ulong SvmHostCr4;

    [FieldOffset(0xFF38 - Start)]
    public ulong SvmHostNestedCr3;

    [FieldOffset(0xFF40 - Start)]
    public ulong SvmHostCr0;

    [FieldOffset(0xFF48 - Start)]
    public ulong Cr4;

    [FieldOffset(0xFF50 - Start)]
    public ulong Cr3;

    [FieldOffset(0xFF58 - Start)]
    public ulong Cr0;

    [FieldOffset(0xFF60 - Start)]
    public ulong Dr7;

    [FieldOffset(0xFF68 - Start)]
    public ulong Dr6;

    [FieldOffset(0xFF70 - Start)]
    public ulong Rflags;

    [FieldOffset(0xFF78 - Start)]
    public ulong Rip;

    /// <summary>R15 down to RAX: register n is element 15 - n.</summary>
    [FieldOffset(0xFF80 - Start)]
    public fixed ulong Gprs[16];
}
