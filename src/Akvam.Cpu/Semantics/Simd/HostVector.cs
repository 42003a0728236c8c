using System.Runtime.Intrinsics;
using Akvam.Cpu.Interpreter;
using Akvam.Cpu.Native;
using Akvam.Cpu.State;
using Iced.Intel;
using static Akvam.Cpu.Semantics.Simd.HostHandlers;

namespace Akvam.Cpu.Semantics.Simd;

/// <summary>
/// SSE to AVX2, FMA, F16C, AES, PCLMULQDQ, SHA, GFNI, SSE4A and MMX instructions that have no row of their own: one rule for all of them.
/// </summary>
/// <remarks>Valid because the function pointers are to static methods, which never move.</remarks>
internal static unsafe class HostVector
{
    /// <summary>Adds a row for every code of these families that has none yet.</summary>
    internal static void Register(IsaBuilder b)
    {
        foreach (Code code in VectorFamilies.Codes())
        {
            if (!b.Rows[(int)code].IsImplemented && VectorFamilies.WhyNotOffered(code) == null)
            {
                // Both forms: Iced decodes no form that does not exist.
                b.Add(code, &NotOnThisHost, &NotOnThisHost, legality: VectorFamilies.LegalityOf(code));
                b.Rows[(int)code].Prepare = &Prepare;
            }
        }
    }

    /// <summary>Gives the instruction its stub, its handler and its operands as slots.</summary>
    internal static void Prepare(Processor processor, in Instruction instruction, Insn* i)
    {
        if (!VectorFamilies.HostHas(instruction.Code))
        {
            return;
        }

        byte* slots = stackalloc byte[4];
        int registers = 0;
        bool memory = false;
        int immediates = 0, shift = 0;
        for (int op = 0; op < instruction.OpCount; op++)
        {
            switch (instruction.GetOpKind(op))
            {
                case OpKind.Register:
                    slots[registers++] = Slot.Of(instruction.GetOpRegister(op));
                    break;
                case OpKind.Memory:
                    memory = true;
                    break;
                case OpKind.Immediate8:
                case OpKind.Immediate8_2nd:
                    immediates |= (byte)instruction.GetImmediate(op) << shift;
                    shift += 8;
                    break;
            }
        }

        Stub stub = processor.Group.Stubs.Get(new StubKey(instruction.Code, memory, (ushort)immediates), in instruction, Build);
        i->Execute = stub.Handler;
        i->Imm = (ulong)stub.Entry;
        i->R0 = slots[0];
        i->R1 = slots[1];
        i->R2 = slots[2];
        if (memory)
        {
            i->Flags |= InsnFlags.Mem;
        }
        else
        {
            i->Base = slots[3];
        }
    }

    private static void Build(in Instruction guest, Assembler assembler, out nint handler)
    {
        VectorShape shape = VectorShape.Of(in guest);
        VectorStub.Emit(in guest, in shape, assembler);
        handler = !shape.UsesMmx ? Handler<NoMmx>(in shape) : shape.WritesMmx ? Handler<MmxTarget>(in shape) : Handler<MmxSource>(in shape);
    }

    private static nint Handler<TUnit>(in VectorShape shape)
        where TUnit : IUnit
    {
        return shape.UsesMxcsr
            ? shape.SetsFlags ? Handler<TUnit, FloatFlags>(in shape) : Handler<TUnit, Float>(in shape)
            : shape.SetsFlags ? Handler<TUnit, QuietFlags>(in shape) : Handler<TUnit, Quiet>(in shape);
    }

    private static nint Handler<TUnit, TRun>(in VectorShape shape)
        where TUnit : IUnit
        where TRun : IRun
    {
        delegate*<CpuState*, Insn*, Flow> handler = (shape.WritesMemory, shape.MemorySize) switch
        {
            (_, 0) => &Do<NoMemory, TUnit, TRun, NoMemory>,
            (false, 1) => &Do<Plain<byte>, TUnit, TRun, NoMemory>,
            (false, 2) => &Do<Plain<ushort>, TUnit, TRun, NoMemory>,
            (false, 4) => &Do<Plain<uint>, TUnit, TRun, NoMemory>,
            (false, 8) => &Do<Plain<ulong>, TUnit, TRun, NoMemory>,
            (false, 16) when shape.NeedsAlignment => &Do<Aligned, TUnit, TRun, NoMemory>,
            (false, 16) => &Do<Plain<Vector128<byte>>, TUnit, TRun, NoMemory>,
            (false, 32) => &Do<Plain<Vector256<byte>>, TUnit, TRun, NoMemory>,
            (true, 1) => &Do<NoMemory, TUnit, TRun, Plain<byte>>,
            (true, 2) => &Do<NoMemory, TUnit, TRun, Plain<ushort>>,
            (true, 4) => &Do<NoMemory, TUnit, TRun, Plain<uint>>,
            (true, 8) => &Do<NoMemory, TUnit, TRun, Plain<ulong>>,
            (true, 16) => &Do<NoMemory, TUnit, TRun, Plain<Vector128<byte>>>,
            _ => throw new InvalidOperationException($"a memory operand of {shape.MemorySize} bytes has no handler"),
        };
        return (nint)handler;
    }
}
