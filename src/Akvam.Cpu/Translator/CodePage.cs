using Akvam.Cpu.Interpreter;
using Akvam.Cpu.State;

namespace Akvam.Cpu.Translator;

/// <summary>
/// What host code made from one page of guest code has in common: under what it was last found good. Blocks of a page jump to one another without a check; who comes
/// from elsewhere compares <see cref="Stamp"/> and <see cref="SeenVersion"/>. The key is linear page, host page and mode, and base and limit of CS outside 64-bit code.
/// </summary>
/// <remarks>Valid while it has blocks; without, until the <see cref="CodeStore"/> empties a region.</remarks>
public unsafe struct CodePage
{
    /// <summary>No processor has this stamp.</summary>
    public const ulong Unverified = ulong.MaxValue;

    /// <summary><see cref="CpuState.Stamp"/> under which the page was mapped here, in this mode, and its blocks had the bytes they were made from.</summary>
    public ulong Stamp;
    public uint* Version;
    public uint SeenVersion;

    /// <summary>Epoch of the last comparison of bytes.</summary>
    public uint Epoch;
    public byte* Host;
    public ulong Linear;
    public ModeKey Mode;

    /// <summary><see cref="CpuState.CodeLimit"/> and <see cref="CpuState.CodeBase"/> that its blocks were made for.</summary>
    public uint CodeLimit;
    public ulong CodeBase;
    public Block* Blocks;

    /// <summary>Blocks of one instruction that begins in the page before and ends here.</summary>
    public Block* Across;

    /// <summary>What the blocks were made from.</summary>
    public PageCopy Copy;
    public CodePage* NextInBucket;

    /// <summary>CS is what its blocks were made for.</summary>
    public readonly bool IsUnder(CpuState* s) => CodeBase == s->CodeBase && CodeLimit == s->CodeLimit;
}
