using System.Runtime.CompilerServices;
using Akvam.Cpu.Interpreter;
using Akvam.Cpu.State;

namespace Akvam.Cpu.Memory;

/// <summary>
/// The only way instructions reach memory. Loads return false, stores <see cref="Flow.Abort"/>, when the access did not happen; the reason is then in
/// <see cref="CpuState.Abort"/> and the handler returns <see cref="Flow.Abort"/> without having changed anything.
/// </summary>
/// <remarks>Valid because the pointers come from the TLB, whose entries are dropped (with every processor parked) before a memory slot goes away.</remarks>
public static unsafe class Mem
{
    /// <summary>Entries of the data TLB: two to the power of <see cref="DtlbBits"/>.</summary>
    public const int DtlbBits = 12, DtlbEntries = 1 << DtlbBits;

    /// <summary>Effective address of the memory operand, not yet masked to the address size.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong RawEa(CpuState* s, Insn* i) =>
        *(ulong*)((byte*)s + i->Base) + (*(ulong*)((byte*)s + i->Index) << i->Scale) + (ulong)(long)i->Disp;

    /// <summary>Effective address masked to the address size, without segment base (LEA).</summary>
    public static ulong Ea(CpuState* s, Insn* i) => RawEa(s, i) & AddressMask(i->Flags);

    public static ulong AddressMask(InsnFlags flags) =>
        (flags & InsnFlags.Addr16) != 0 ? 0xFFFF : (flags & InsnFlags.Addr32) != 0 ? 0xFFFF_FFFF : ulong.MaxValue;

    /// <summary>The only entry that a page can have: its number folded once, so that buffers at a round distance do not share entries.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TlbEntry* Entry(CpuState* s, ulong linear) =>
        (TlbEntry*)((byte*)s + CpuState.DtlbOffset + (((linear >> 12) ^ (linear >> (12 + DtlbBits))) & (DtlbEntries - 1)) * (ulong)sizeof(TlbEntry));

    /// <summary>
    /// True when a page and the one before it (around the end of memory: the last one) fold to the same entry, as happens every 32 GiB. The search takes the entry of
    /// an access's first byte and the page of its last, so that such a page must never be in the TLB.
    /// </summary>
    public static bool SharesEntryWithPageBefore(ulong linear)
    {
        ulong page = linear >> 12, before = (linear - 4096) >> 12;
        return (((page ^ (page >> DtlbBits)) ^ (before ^ (before >> DtlbBits))) & (DtlbEntries - 1)) == 0;
    }

    /// <summary>Loads the memory operand.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool Load<T>(CpuState* s, Insn* i, out T value)
        where T : unmanaged
    {
        ulong linear = RawEa(s, i);
        if ((i->Flags & InsnFlags.Flat) == 0)
        {
            if (!SegmentCheck.Operand(s, i, linear, sizeof(T), AccessKind.Read))
            {
                value = default;
                return false;
            }

            linear = s->SegmentLinear;
        }

        return LoadLinear(s, linear, out value);
    }

    /// <summary>Stores the memory operand.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Flow Store<T>(CpuState* s, Insn* i, T value)
        where T : unmanaged
    {
        ulong linear = RawEa(s, i);
        if ((i->Flags & InsnFlags.Flat) == 0)
        {
            if (!SegmentCheck.Operand(s, i, linear, sizeof(T), AccessKind.Write))
            {
                return Flow.Abort;
            }

            linear = s->SegmentLinear;
        }

        return StoreLinear(s, linear, value);
    }

    /// <summary>Loads with the rights of the running program; <paramref name="linear"/> includes the segment base.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool LoadLinear<T>(CpuState* s, ulong linear, out T value)
        where T : unmanaged
    {
        TlbEntry* e = Entry(s, linear);
        if (e->Read == (((linear + (ulong)sizeof(T) - 1) & ~TlbTag.Mask) | s->DataTag))
        {
            value = Unsafe.ReadUnaligned<T>((byte*)(linear + e->Addend));
            return true;
        }

        // Through memory of the state: the address of a local would keep the fast path's value out of a register.
        bool done = SlowAccess.Load(s, linear, s->SlowValue, sizeof(T), s->DataTag);
        value = Unsafe.ReadUnaligned<T>(s->SlowValue);
        return done;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Flow StoreLinear<T>(CpuState* s, ulong linear, T value)
        where T : unmanaged
    {
        TlbEntry* e = Entry(s, linear);
        if (e->Write == (((linear + (ulong)sizeof(T) - 1) & ~TlbTag.Mask) | s->DataTag))
        {
            Unsafe.WriteUnaligned((byte*)(linear + e->Addend), value);
            return Flow.Next;
        }

        Unsafe.WriteUnaligned(s->SlowValue, value);
        return SlowAccess.Store(s, linear, s->SlowValue, sizeof(T), s->DataTag);
    }

    /// <summary>Loads as the processor itself, at supervisor privilege: descriptor tables, TSS, IDT.</summary>
    public static bool LoadSystem<T>(CpuState* s, ulong linear, out T value)
        where T : unmanaged
    {
        TlbEntry* e = Entry(s, linear);
        if (e->Read == (((linear + (ulong)sizeof(T) - 1) & ~TlbTag.Mask) | s->SystemTag))
        {
            value = Unsafe.ReadUnaligned<T>((byte*)(linear + e->Addend));
            return true;
        }

        bool done = SlowAccess.Load(s, linear, s->SlowValue, sizeof(T), s->SystemTag);
        value = Unsafe.ReadUnaligned<T>(s->SlowValue);
        return done;
    }

    /// <summary>Stores as the processor itself, at supervisor privilege.</summary>
    public static Flow StoreSystem<T>(CpuState* s, ulong linear, T value)
        where T : unmanaged => SlowAccess.Store(s, linear, (byte*)&value, sizeof(T), s->SystemTag);

    /// <summary>Loads <paramref name="size"/> bytes (any number up to a page) with the rights of the running program.</summary>
    public static bool LoadBytes(CpuState* s, ulong linear, byte* to, int size) => SlowAccess.Load(s, linear, to, size, s->DataTag);

    /// <summary>Stores <paramref name="size"/> bytes; all or nothing.</summary>
    public static Flow StoreBytes(CpuState* s, ulong linear, byte* from, int size) => SlowAccess.Store(s, linear, from, size, s->DataTag);

    /// <summary>
    /// First half of a read-modify-write of the memory operand: where the operand is, known to be writable. Null: not possible, return
    /// <see cref="Flow.Abort"/>. The handler reads and writes through the pointer (with Interlocked under LOCK) and returns <see cref="EndModify{T}"/>.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static T* BeginModify<T>(CpuState* s, Insn* i)
        where T : unmanaged
    {
        ulong linear = RawEa(s, i);
        if ((i->Flags & InsnFlags.Flat) == 0)
        {
            if (!SegmentCheck.Operand(s, i, linear, sizeof(T), AccessKind.Write))
            {
                return null;
            }

            linear = s->SegmentLinear;
        }

        return BeginModifyLinear<T>(s, linear);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static T* BeginModifyLinear<T>(CpuState* s, ulong linear)
        where T : unmanaged
    {
        TlbEntry* e = Entry(s, linear);
        return e->Write == (((linear + (ulong)sizeof(T) - 1) & ~TlbTag.Mask) | s->DataTag)
            ? (T*)(linear + e->Addend)
            : (T*)SlowAccess.BeginModify(s, linear, sizeof(T));
    }

    /// <summary>Second half: makes the new value visible where <see cref="BeginModify{T}"/> had no direct address to give.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Flow EndModify<T>(CpuState* s, T* p)
        where T : unmanaged => p == s->Bounce || s->TrackedModify != null ? SlowAccess.EndModify(s, (byte*)p, sizeof(T)) : Flow.Next;

    /// <summary>
    /// Linear address of <paramref name="size"/> bytes at the memory operand after the segment checks; false: the fault is set.
    /// For instructions that make several accesses, and for probes.
    /// </summary>
    public static bool Address(CpuState* s, Insn* i, int size, AccessKind kind, out ulong linear)
    {
        linear = RawEa(s, i);
        if ((i->Flags & InsnFlags.Flat) != 0)
        {
            return true;
        }

        bool done = SegmentCheck.Operand(s, i, linear, size, kind);
        linear = s->SegmentLinear;
        return done;
    }

    /// <summary>
    /// Checks that the bytes could be accessed without a fault, without accessing them; false: the fault is set. Instructions with several stores
    /// (ENTER, PUSHA, far CALL, exception frames) probe first, so that they fault before they change anything.
    /// </summary>
    public static bool Probe(CpuState* s, ulong linear, int size, AccessKind kind, bool system = false) =>
        SlowAccess.Probe(s, linear, size, kind, system ? s->SystemTag : s->DataTag);
}
