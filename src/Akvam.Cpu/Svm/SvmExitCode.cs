namespace Akvam.Cpu.Svm;

/// <summary>Exit codes of #VMEXIT. [APM2 C]</summary>
public static class SvmExitCode
{
    public const uint ReadCr0 = 0x00, WriteCr0 = 0x10, ReadDr0 = 0x20, WriteDr0 = 0x30, Exception0 = 0x40;
    public const uint Intr = 0x60, Nmi = 0x61, Smi = 0x62, Init = 0x63, Vintr = 0x64, Cr0SelectiveWrite = 0x65;
    public const uint ReadIdtr = 0x66, ReadGdtr = 0x67, ReadLdtr = 0x68, ReadTr = 0x69, WriteIdtr = 0x6A, WriteGdtr = 0x6B, WriteLdtr = 0x6C, WriteTr = 0x6D;
    public const uint Rdtsc = 0x6E, Rdpmc = 0x6F, Pushf = 0x70, Popf = 0x71, Cpuid = 0x72, Rsm = 0x73, Iret = 0x74, SoftwareInterrupt = 0x75, Invd = 0x76, Pause = 0x77;
    public const uint Hlt = 0x78, Invlpg = 0x79, Invlpga = 0x7A, Io = 0x7B, Msr = 0x7C, TaskSwitch = 0x7D, FerrFreeze = 0x7E, Shutdown = 0x7F;
    public const uint Vmrun = 0x80, Vmmcall = 0x81, Vmload = 0x82, Vmsave = 0x83, Stgi = 0x84, Clgi = 0x85, Skinit = 0x86, Rdtscp = 0x87, Icebp = 0x88, Wbinvd = 0x89;
    public const uint Monitor = 0x8A, Mwait = 0x8B, Xsetbv = 0x8D, Rdpru = 0x8E, Invpcid = 0xA2;

    /// <summary>No intercept has it.</summary>
    public const uint None = uint.MaxValue;

    /// <summary>An SMI that L1 does not intercept interrupted L2. [KVM SVM_EXIT_SW]</summary>
    public const ulong Software = 0xF000_0000;

    /// <summary>VMRUN found the VMCB illegal.</summary>
    public const ulong Invalid = ulong.MaxValue;
}
