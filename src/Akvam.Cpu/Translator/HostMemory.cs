namespace Akvam.Cpu.Translator;

/// <summary>A memory operand of host code: base and index are host registers, -1 for none; the index is shifted left by <see cref="Scale"/>.</summary>
internal readonly record struct HostMemory(int Base, int Index, int Scale, int Disp)
{
    public HostMemory(int address, int disp = 0)
        : this(address, -1, 0, disp)
    {
    }

    /// <summary>A field of the CpuState.</summary>
    public static HostMemory State(int offset) => new(HostRegister.State, offset);
}
