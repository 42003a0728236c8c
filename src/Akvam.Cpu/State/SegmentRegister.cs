using System.Runtime.InteropServices;

namespace Akvam.Cpu.State;

/// <summary>A segment register with its hidden part. The limit is in bytes whatever the G bit says.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct SegmentRegister
{
    public ulong Base;
    public uint Limit;
    public ushort Selector;

    /// <summary>Bits 8-15 and 20-23 of the descriptor's second dword, shifted right by 8 (type 3:0, S, DPL, P, AVL 12, L 13, D/B 14, G 15).</summary>
    public ushort Attributes;

    /// <summary>Set for a register loaded with a null selector, or by user space: any use faults.</summary>
    public byte Unusable;

    public const ushort TypeMask = 0xF, Accessed = 1, Writable = 2, Readable = 2, ExpandDown = 4, Conforming = 4, Code = 8;
    public const ushort S = 1 << 4, P = 1 << 7, Avl = 1 << 12, L = 1 << 13, Db = 1 << 14, G = 1 << 15;
    public const int DplShift = 5;

    public readonly int Type => Attributes & TypeMask;
    public readonly int Dpl => (Attributes >> DplShift) & 3;
    public readonly bool IsPresent => (Attributes & P) != 0;
    public readonly bool IsBig => (Attributes & Db) != 0;
    public readonly bool IsLong => (Attributes & L) != 0;
    public readonly bool IsUsable => Unusable == 0;
}
