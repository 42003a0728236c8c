namespace Akvam.Cpu.State;

/// <summary>Interrupt shadow; the bits are KVM_X86_SHADOW_INT_*.</summary>
[Flags]
public enum InterruptShadow : byte
{
    None = 0,
    MovSs = 1,
    Sti = 2,
}
