using System.Runtime.CompilerServices;
using Akvam.Cpu.Flags;
using Akvam.Cpu.Interpreter;
using Akvam.Cpu.Memory;
using Akvam.Cpu.Native;
using Akvam.Cpu.Semantics.Simd;
using Akvam.Cpu.State;
using Iced.Intel;

namespace Akvam.Cpu.Semantics.X87;

/// <summary>x87 instructions that compute: executed by the host on the guest's whole x87 state. [APM5]</summary>
/// <remarks>Valid because <see cref="Prepare"/> put the stub's address and the opcode into the instruction's immediate.</remarks>
internal static unsafe class X87Ops
{
    /// <summary>The opcode for FOP is kept above the 48 bits that an address of user space has.</summary>
    private const int FopShift = 48;

    /// <summary>Exceptions that keep a store from happening when they are unmasked: invalid, overflow, underflow. [SDM1 8.5]</summary>
    private const int StorePreventing = 1 | 8 | 16;

    /// <summary>An operand in memory, of ten bytes.</summary>
    internal struct Ten
    {
        public fixed byte Bytes[10];
    }

    private static Flow Stack(CpuState* s, Insn* i)
    {
        if (!X87State.CheckPending(s))
        {
            return Flow.Abort;
        }

        ulong dp = X87State.Fdp(s);
        Call(s, i, 0);
        Remember(s, i, dp);
        return Flow.Next;
    }

    /// <summary>FCMOVcc, FCOMI and relatives: flags in and out.</summary>
    private static Flow StackFlags(CpuState* s, Insn* i)
    {
        if (!X87State.CheckPending(s))
        {
            return Flow.Abort;
        }

        ulong dp = X87State.Fdp(s);
        ulong flags = (LazyFlags.Read(s) & Rflags.Lazy) | Rflags.Fixed | Rflags.IF;
        LazyFlags.WriteLazy(s, Call(s, i, flags));
        Remember(s, i, dp);
        return Flow.Next;
    }

    private static Flow Load<T>(CpuState* s, Insn* i)
        where T : unmanaged
    {
        if (!X87State.CheckPending(s) || !Mem.Load(s, i, out T value))
        {
            return Flow.Abort;
        }

        *(T*)s->Scratch = value;
        Call(s, i, 0);
        Remember(s, i, Mem.Ea(s, i));
        s->Fds = (&s->Es + i->Segment)->Selector;
        return Flow.Next;
    }

    private static Flow Store<T>(CpuState* s, Insn* i)
        where T : unmanaged
    {
        if (!X87State.CheckPending(s))
        {
            return Flow.Abort;
        }

        // A store that faults must not have popped.
        byte* before = stackalloc byte[X87State.Size];
        Unsafe.CopyBlock(before, s->Fx, X87State.Size);
        Call(s, i, 0);
        Flow flow = (X87State.Fsw(s) & ~X87State.Fcw(s) & StorePreventing) == 0 ? Mem.Store(s, i, *(T*)s->Scratch) : Flow.Next;
        if (flow == Flow.Abort)
        {
            Unsafe.CopyBlock(s->Fx, before, X87State.Size);
            return Flow.Abort;
        }

        Remember(s, i, Mem.Ea(s, i));
        s->Fds = (&s->Es + i->Segment)->Selector;
        return flow;
    }

    /// <remarks>SuppressGCTransition: a leaf of some tens of nanoseconds.</remarks>
    private static ulong Call(CpuState* s, Insn* i, ulong flags) =>
        ((delegate* unmanaged[Cdecl, SuppressGCTransition]<CpuState*, ulong, ulong>)(i->Imm & ((1ul << FopShift) - 1)))(s, flags);

    /// <summary>The pointers of the last instruction are the guest's, not the stub's. [SDM1 8.1.8]</summary>
    private static void Remember(CpuState* s, Insn* i, ulong dp)
    {
        X87State.Fop(s) = Opcode(i);
        X87State.Fip(s) = i->RipOf(s);
        X87State.Fdp(s) = dp;
        s->Fcs = s->Cs.Selector;
    }

    /// <summary>FOP of an instruction that has its stub.</summary>
    internal static ushort Opcode(Insn* i) => (ushort)(i->Imm >> FopShift);

    internal static void Register(IsaBuilder b)
    {
        foreach (Code code in X87Families.Codes())
        {
            if (!b.Rows[(int)code].IsImplemented && X87Families.WhyNotOffered(code) == null)
            {
                b.Add(code, &HostHandlers.NotOnThisHost, &HostHandlers.NotOnThisHost, legality: Legality.X87);
                b.Rows[(int)code].Prepare = &Prepare;
            }
        }
    }

    private static void Prepare(Processor processor, in Instruction instruction, Insn* i)
    {
        if (!X87Families.HostHas(instruction.Code))
        {
            return;
        }

        int stack = 0;
        for (int op = 0; op < instruction.OpCount; op++)
        {
            stack = (stack * 8) + (instruction.GetOpKind(op) == OpKind.Register ? instruction.GetOpRegister(op) - Iced.Intel.Register.ST0 : 0);
        }

        Stub stub = processor.Group.Stubs.Get(new StubKey(instruction.Code, HasMemory(in instruction), (ushort)stack), in instruction, Build);
        i->Execute = stub.Handler;
        i->Imm = (ulong)stub.Entry | ((ulong)X87Opcode.Of(in instruction) << FopShift);
    }

    private static bool HasMemory(in Instruction instruction) => instruction.OpCount > 0 && (instruction.Op0Kind == OpKind.Memory || instruction.Op1Kind == OpKind.Memory);

    private static void Build(in Instruction guest, Assembler assembler, out nint handler)
    {
        X87Stub.Emit(in guest, assembler);
        bool flags = VectorNames.TouchesFlags(guest.RflagsModified | guest.RflagsRead);
        var factory = new InstructionInfoFactory();
        bool store = HasMemory(in guest) && factory.GetInfo(in guest).GetOpAccess(0) == OpAccess.Write && guest.Op0Kind == OpKind.Memory;
        int size = HasMemory(in guest) ? guest.MemorySize.GetSize() : 0;
        delegate*<CpuState*, Insn*, Flow> chosen = (size, store) switch
        {
            (0, _) when flags => &StackFlags,
            (0, _) => &Stack,
            (2, false) => &Load<ushort>,
            (4, false) => &Load<uint>,
            (8, false) => &Load<ulong>,
            (10, false) => &Load<Ten>,
            (2, true) => &Store<ushort>,
            (4, true) => &Store<uint>,
            (8, true) => &Store<ulong>,
            (10, true) => &Store<Ten>,
            _ => throw new InvalidOperationException($"an x87 operand of {size} bytes has no handler"),
        };
        handler = (nint)chosen;
    }
}
