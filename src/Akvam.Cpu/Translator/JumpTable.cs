using Akvam.Cpu.State;

namespace Akvam.Cpu.Translator;

/// <summary>Where indirect branches look their targets up: for some addresses, the checked entry of the block there. It has its place in the state's memory, as two arrays.</summary>
/// <remarks>Valid while the processor's state is; the entries, until their code is dropped.</remarks>
internal readonly unsafe struct JumpTable(CpuState* state)
{
    public const int Mask = Entries - 1, HashShift = 9;

    /// <summary>From the start of the state: the first target, and the first code.</summary>
    public const int TargetsAt = (TlbWindow.End + 63) & ~63, CodesAt = TargetsAt + (Entries * sizeof(ulong));

    /// <summary>What follows it.</summary>
    public const int End = CodesAt + (Entries * sizeof(ulong));

    private const int Entries = 1 << 12;

    private readonly CpuState* _state = state;

    private ulong* Targets => (ulong*)((byte*)_state + TargetsAt);

    private nint* Codes => (nint*)((byte*)_state + CodesAt);

    public void Set(ulong target, nint code)
    {
        int index = Index(target);
        Targets[index] = target;
        Codes[index] = code;
    }

    public void Remove(ulong target, nint code)
    {
        int index = Index(target);
        if (Codes[index] == code)
        {
            Targets[index] = Nowhere(index);
        }
    }

    public void Clear()
    {
        for (int n = 0; n < Entries; n++)
        {
            Targets[n] = Nowhere(n);
        }
    }

    /// <summary>A target with code that is none of <paramref name="known"/>; null: there is none.</summary>
    public ulong? FindOther(HashSet<(ulong Target, nint Code)> known)
    {
        for (int n = 0; n < Entries; n++)
        {
            if (Targets[n] != Nowhere(n) && !known.Contains((Targets[n], Codes[n])))
            {
                return Targets[n];
            }
        }

        return null;
    }

    /// <summary>A target that is not looked for there.</summary>
    private static ulong Nowhere(int index) => index == 0 ? 1ul : 0;

    private static int Index(ulong target) => (int)((target >> HashShift) ^ target) & Mask;
}
