using System.Runtime.InteropServices;
using Akvam.Cpu.State;

namespace Akvam.Cpu.Interpreter;

/// <summary>
/// A run of decoded instructions from one page (or one instruction that crosses into the next), followed in memory by its <see cref="Insn"/>s and a copy
/// of its code bytes.
/// </summary>
/// <remarks>Valid until the region of the <see cref="BlockCache"/> that it is in is emptied, which happens between blocks on the processor's own thread.</remarks>
[StructLayout(LayoutKind.Sequential)]
public unsafe struct Block
{
    /// <summary>Linear address and fetch tag under which the block was last looked up.</summary>
    public ulong Linear;
    public ulong Tag;

    /// <summary>Host address of the first byte: with <see cref="Mode"/>, the key of the block.</summary>
    public byte* Host;

    /// <summary>Host address of the second page's first byte, for an instruction that crosses into it.</summary>
    public byte* Host2;
    public uint* Version;
    public uint* Version2;
    public Block* NextInBucket;
    public ModeKey Mode;
    public uint SeenVersion;
    public uint SeenVersion2;

    /// <summary>Epoch of the processor when the bytes were last known to be those in memory.</summary>
    public uint Epoch;

    /// <summary>Times it was interpreted while the translator was the engine.</summary>
    public int Heat;

    /// <summary>Where the <see cref="Translator.CodeRecord"/> of its host code is.</summary>
    public int Record;

    /// <summary>Host code of the block (its checked entry), made for <see cref="Rip"/>; or null.</summary>
    public byte* HostCode;
    public ulong Rip;

    /// <summary>Page that the host code belongs to, the next block with host code in it, and what points to this one there.</summary>
    public Translator.CodePage* Page;
    public Block* NextInPage;
    public Block** LinkInPage;

    /// <summary>With <see cref="Host2"/>: the second page, and the next block that ends in it.</summary>
    public Translator.CodePage* Page2;
    public Block* NextAcross;

    /// <summary>Edges that lead to the host code.</summary>
    public Translator.Edge* Incoming;

    /// <summary>Distances of the other entries from <see cref="HostCode"/>: one that looks at requests, and one that does not.</summary>
    public ushort PolledEntry, DirectEntry;
    public byte Count;
    public byte Bytes;

    /// <summary>Conditional jumps that it goes on behind.</summary>
    public byte Behind;

    /// <summary>Other blocks that go on with its code.</summary>
    public byte Copies;

    /// <summary>Bytes of its code in the first page.</summary>
    public static int BytesInPage(Block* b) => b->Host2 == null ? b->Bytes : (int)(4096 - ((ulong)b->Host & 4095));

    public static Insn* First(Block* b) => (Insn*)(b + 1);

    /// <summary>The copy of the code bytes that the block was decoded from.</summary>
    public static byte* Code(Block* b) => (byte*)(First(b) + b->Count);
}
