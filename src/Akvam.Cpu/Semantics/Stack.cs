using System.Runtime.CompilerServices;
using Akvam.Cpu.Events;
using Akvam.Cpu.Memory;
using Akvam.Cpu.State;

namespace Akvam.Cpu.Semantics;

/// <summary>
/// The stack as instructions see it: SS base, limit and type, the width of the stack pointer, #SS(0). RSP changes only when the access succeeded,
/// so a fault leaves it alone. Several pushes in one instruction: probe the whole range first. [APM2 4.7.3] [SDM1 6.2]
/// </summary>
/// <remarks>Valid as long as the <see cref="CpuState"/> it is given.</remarks>
internal static unsafe class Stack
{
    /// <summary>Pushes one value. 8-byte values only in 64-bit mode.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Flow Push<T>(CpuState* s, T value)
        where T : unmanaged
    {
        if (sizeof(T) == 8)
        {
            ulong sp = s->Gpr[Register.Rsp] - 8;
            TlbEntry* e = Mem.Entry(s, sp);
            if (e->Write == (((sp + 7) & ~TlbTag.Mask) | s->DataTag))
            {
                Unsafe.WriteUnaligned((byte*)(sp + e->Addend), value);
                s->Gpr[Register.Rsp] = sp;
                return Flow.Next;
            }
        }

        return PushSlow(s, value);
    }

    /// <summary>Pops one value; false: the fault is set. 8-byte values only in 64-bit mode.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool Pop<T>(CpuState* s, out T value)
        where T : unmanaged
    {
        if (sizeof(T) == 8)
        {
            ulong sp = s->Gpr[Register.Rsp];
            TlbEntry* e = Mem.Entry(s, sp);
            if (e->Read == (((sp + 7) & ~TlbTag.Mask) | s->DataTag))
            {
                value = Unsafe.ReadUnaligned<T>((byte*)(sp + e->Addend));
                s->Gpr[Register.Rsp] = sp + 8;
                return true;
            }
        }

        // Through memory of the state: the address of a local would keep the fast path's value out of a register.
        bool done = PopSlow(s, sizeof(T));
        value = Unsafe.ReadUnaligned<T>(s->SlowValue);
        return done;
    }

    /// <summary>Reads <paramref name="bytes"/> above the top of the stack without moving RSP; false: the fault is set.</summary>
    public static bool Peek<T>(CpuState* s, int bytes, out T value)
        where T : unmanaged => Load(s, s->Gpr[Register.Rsp] + (ulong)(long)bytes, out value);

    /// <summary>Adds to the stack pointer in its own width (RET imm16, after <see cref="Peek{T}"/>).</summary>
    public static void Release(CpuState* s, long bytes) => SetPointer(s, s->Gpr[Register.Rsp] + (ulong)bytes);

    /// <summary>Writes the stack pointer in its own width: a 16-bit one keeps the rest of RSP, a 32-bit one clears its upper half.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void SetPointer(CpuState* s, ulong value)
    {
        ulong mask = s->StackMask;
        s->Gpr[Register.Rsp] = mask == 0xFFFF ? (s->Gpr[Register.Rsp] & ~0xFFFFul) | (value & 0xFFFF) : value & mask;
    }

    /// <summary>Reads at an offset in SS, which is first masked to the width of the stack pointer; false: the fault is set.</summary>
    public static bool Load<T>(CpuState* s, ulong offset, out T value)
        where T : unmanaged
    {
        if (!Address(s, offset, sizeof(T), AccessKind.Read, out ulong linear))
        {
            value = default;
            return false;
        }

        return Mem.LoadLinear(s, linear, out value);
    }

    /// <summary>Writes at an offset in SS, which is first masked to the width of the stack pointer.</summary>
    public static Flow Store<T>(CpuState* s, ulong offset, T value)
        where T : unmanaged =>
        Address(s, offset, sizeof(T), AccessKind.Write, out ulong linear) ? Mem.StoreLinear(s, linear, value) : Flow.Abort;

    /// <summary>Whether <paramref name="size"/> bytes from an offset in SS could be accessed; false: the fault is set.</summary>
    public static bool Probe(CpuState* s, ulong offset, int size, AccessKind kind) =>
        Address(s, offset, size, kind, out ulong linear) && Mem.Probe(s, linear, size, kind);

    /// <summary>Linear address of <paramref name="size"/> bytes at an offset in SS after the segment checks; false: #SS(0) is set.</summary>
    public static bool Address(CpuState* s, ulong offset, int size, AccessKind kind, out ulong linear)
    {
        linear = offset & s->StackMask;
        if ((s->Mode & ModeKey.Code64) != 0)
        {
            if (Canonical.Is(s, linear) && Canonical.Is(s, linear + (ulong)size - 1))
            {
                return true;
            }

            Fault.Ss(s, 0);
            return false;
        }

        return (s->Mode & ModeKey.FlatData) != 0 && linear + (ulong)size <= 0x1_0000_0000 || SegmentCheck.Linear(s, Segment.Ss, size, kind, ref linear);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static Flow PushSlow<T>(CpuState* s, T value)
        where T : unmanaged
    {
        ulong sp = s->Gpr[Register.Rsp] - (ulong)sizeof(T);
        Flow flow = Store(s, sp, value);
        if (flow != Flow.Abort)
        {
            SetPointer(s, sp);
        }

        return flow;
    }

    /// <summary>Pops into <see cref="CpuState.SlowValue"/>.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static bool PopSlow(CpuState* s, int size)
    {
        ulong sp = s->Gpr[Register.Rsp];
        if (!Address(s, sp, size, AccessKind.Read, out ulong linear) || !SlowAccess.Load(s, linear, s->SlowValue, size, s->DataTag))
        {
            return false;
        }

        SetPointer(s, sp + (ulong)size);
        return true;
    }
}
