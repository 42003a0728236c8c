namespace Akvam.Cpu.State;

/// <summary>What the processor is doing; the values are KVM's mp_state. [KVM 4.38]</summary>
public enum Activity : byte
{
    Runnable = 0,
    Uninitialized = 1,
    InitReceived = 2,
    Halted = 3,
    SipiReceived = 4,
}
