namespace Akvam.Cpu.Events;

/// <summary>What a TSS holds of a task, in one form for both sizes.</summary>
/// <remarks>Valid as a local variable: it holds values only.</remarks>
internal unsafe struct TaskImage
{
    public ulong Cr3;
    public bool HasCr3;
    public bool DebugTrap;
    public uint Eip;
    public uint Eflags;
    public fixed uint Gpr[8];

    /// <summary>ES, CS, SS, DS, FS, GS.</summary>
    public fixed ushort Selectors[6];

    public ushort Ldt;
}
