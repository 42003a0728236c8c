using System.Runtime.InteropServices;

namespace Akvam.Cpu.Smm;

/// <summary>
/// The SMRAM state-save area of processors without long mode, close to the P6 family's. [SDM3 31.4.1] Reserved bytes are 0.
/// Segment attributes are a whole descriptor dword (type in bits 11:8), unlike the 64-bit map's.
/// </summary>
/// <remarks>Valid as a copy only: guest memory is read and written as a whole.</remarks>
[StructLayout(LayoutKind.Explicit, Size = Size)]
public unsafe struct SmramStateMap32
{
    /// <summary>Bytes of the image.</summary>
    public const int Size = 512;

    /// <summary>Where the image starts, from SMBASE; offsets in the manuals count from SMBASE (or from SMBASE + 8000h).</summary>
    public const int Start = 0xFE00;

    public const uint RevisionId = 0x0002_0000;

    [FieldOffset(0xFEF8 - Start)]
    public uint Smbase;

    [FieldOffset(0xFEFC - Start)]
    public uint Revision;

    /// <summary>I/O and halt restart: not implemented, 0.</summary>
    [FieldOffset(0xFF00 - Start)]
    public ushort IoInstructionRestart;

    [FieldOffset(0xFF02 - Start)]
    public ushort AutoHaltRestart;

    [FieldOffset(0xFF04 - Start)]
    public uint IoRestartEdi;

    [FieldOffset(0xFF08 - Start)]
    public uint IoRestartEcx;

    [FieldOffset(0xFF0C - Start)]
    public uint IoRestartEsi;

    [FieldOffset(0xFF10 - Start)]
    public uint IoRestartEip;

    [FieldOffset(0xFF14 - Start)]
    public uint Cr4;

    /// <summary>KVM's extension: bit 0 MOV SS, bit 1 STI.</summary>
    [FieldOffset(0xFF1A - Start)]
    public byte InterruptShadow;

    /// <summary>Akvam's extension, where the P6 family keeps an alternative DR6: debug traps of the last instruction that wait behind the SMI.</summary>
    [FieldOffset(0xFF24 - Start)]
    public ushort PendingDebug;

    [FieldOffset(0xFF2C - Start)]
    public SmramSegment32 Ds;

    [FieldOffset(0xFF38 - Start)]
    public SmramSegment32 Fs;

    [FieldOffset(0xFF44 - Start)]
    public SmramSegment32 Gs;

    /// <summary>IDTR: limit and base.</summary>
    [FieldOffset(0xFF50 - Start)]
    public SmramSegment32 Idtr;

    [FieldOffset(0xFF5C - Start)]
    public SmramSegment32 Tr;

    /// <summary>GDTR: limit and base.</summary>
    [FieldOffset(0xFF6C - Start)]
    public SmramSegment32 Gdtr;

    [FieldOffset(0xFF78 - Start)]
    public SmramSegment32 Ldtr;

    [FieldOffset(0xFF84 - Start)]
    public SmramSegment32 Es;

    [FieldOffset(0xFF90 - Start)]
    public SmramSegment32 Cs;

    [FieldOffset(0xFF9C - Start)]
    public SmramSegment32 Ss;

    /// <summary>Selectors: the high halves are reserved.</summary>
    [FieldOffset(0xFFA8 - Start)]
    public uint EsSelector;

    [FieldOffset(0xFFAC - Start)]
    public uint CsSelector;

    [FieldOffset(0xFFB0 - Start)]
    public uint SsSelector;

    [FieldOffset(0xFFB4 - Start)]
    public uint DsSelector;

    [FieldOffset(0xFFB8 - Start)]
    public uint FsSelector;

    [FieldOffset(0xFFBC - Start)]
    public uint GsSelector;

    [FieldOffset(0xFFC0 - Start)]
    public uint LdtrSelector;

    [FieldOffset(0xFFC4 - Start)]
    public uint TrSelector;

    [FieldOffset(0xFFC8 - Start)]
    public uint Dr7;

    [FieldOffset(0xFFCC - Start)]
    public uint Dr6;

    /// <summary>EAX up to EDI.</summary>
    [FieldOffset(0xFFD0 - Start)]
    public fixed uint Gprs[8];

    [FieldOffset(0xFFF0 - Start)]
    public uint Eip;

    [FieldOffset(0xFFF4 - Start)]
    public uint Eflags;

    [FieldOffset(0xFFF8 - Start)]
    public uint Cr3;

    [FieldOffset(0xFFFC - Start)]
    public uint Cr0;
}
