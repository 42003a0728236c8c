using System.Runtime.InteropServices;

namespace Akvam.Cpu.Svm;

/// <summary>State-save area of a VMCB, 400h bytes behind its start. [APM2 B.2]</summary>
[StructLayout(LayoutKind.Explicit, Size = Size)]
public struct VmcbSave
{
    /// <summary>Where it begins in the VMCB.</summary>
    public const int Offset = 0x400;
    public const int Size = 0xC00;

    [FieldOffset(0x000)]
    public VmcbSegment Es;

    [FieldOffset(0x010)]
    public VmcbSegment Cs;

    [FieldOffset(0x020)]
    public VmcbSegment Ss;

    [FieldOffset(0x030)]
    public VmcbSegment Ds;

    [FieldOffset(0x040)]
    public VmcbSegment Fs;

    [FieldOffset(0x050)]
    public VmcbSegment Gs;

    [FieldOffset(0x060)]
    public VmcbSegment Gdtr;

    [FieldOffset(0x070)]
    public VmcbSegment Ldtr;

    [FieldOffset(0x080)]
    public VmcbSegment Idtr;

    [FieldOffset(0x090)]
    public VmcbSegment Tr;

    [FieldOffset(0x0CB)]
    public byte Cpl;

    [FieldOffset(0x0D0)]
    public ulong Efer;

    [FieldOffset(0x148)]
    public ulong Cr4;

    [FieldOffset(0x150)]
    public ulong Cr3;

    [FieldOffset(0x158)]
    public ulong Cr0;

    [FieldOffset(0x160)]
    public ulong Dr7;

    [FieldOffset(0x168)]
    public ulong Dr6;

    [FieldOffset(0x170)]
    public ulong Rflags;

    [FieldOffset(0x178)]
    public ulong Rip;

    [FieldOffset(0x1D8)]
    public ulong Rsp;

    [FieldOffset(0x1F8)]
    public ulong Rax;

    [FieldOffset(0x200)]
    public ulong Star;

    [FieldOffset(0x208)]
    public ulong Lstar;

    [FieldOffset(0x210)]
    public ulong Cstar;

    [FieldOffset(0x218)]
    public ulong Sfmask;

    [FieldOffset(0x220)]
    public ulong KernelGsBase;

    [FieldOffset(0x228)]
    public ulong SysenterCs;

    [FieldOffset(0x230)]
    public ulong SysenterEsp;

    [FieldOffset(0x238)]
    public ulong SysenterEip;

    [FieldOffset(0x240)]
    public ulong Cr2;

    [FieldOffset(0x268)]
    public ulong Pat;
}
