using Akvam.Cpu.Interpreter;
using Akvam.Cpu.Memory;
using Akvam.Cpu.State;
using Iced.Intel;

namespace Akvam.Cpu.Semantics.X87;

/// <summary>FNSTENV, FLDENV, FNSAVE, FRSTOR in their four layouts: 16- and 32-bit operands, real and protected mode. [SDM1 figures 8-9 to 8-12]</summary>
/// <remarks>Valid because handlers get the state and instruction of the block that the engine is running.</remarks>
internal static unsafe class X87Environment
{
    private const int Registers = 80, Largest = 28 + Registers;

    private static Flow Fnstenv(CpuState* s, Insn* i) => Store(s, i, registers: false);

    private static Flow Fnsave(CpuState* s, Insn* i) => Store(s, i, registers: true);

    private static Flow Fldenv(CpuState* s, Insn* i) => Load(s, i, registers: false);

    private static Flow Frstor(CpuState* s, Insn* i) => Load(s, i, registers: true);

    private static bool Is32(Insn* i) => (Code)i->Code is Code.Fnstenv_m28byte or Code.Fldenv_m28byte or Code.Fnsave_m108byte or Code.Frstor_m108byte;

    private static Flow Store(CpuState* s, Insn* i, bool registers)
    {
        byte* buffer = stackalloc byte[Largest];
        int size = WriteEnvironment(s, Is32(i), buffer);
        if (registers)
        {
            for (int n = 0; n < 8; n++)
            {
                Buffer.MemoryCopy(s->Fx + X87State.RegistersAt + (16 * n), buffer + size + (10 * n), 10, 10);
            }

            size += Registers;
        }

        if (!Mem.Address(s, i, size, AccessKind.Write, out ulong linear))
        {
            return Flow.Abort;
        }

        Flow flow = Mem.StoreBytes(s, linear, buffer, size);
        if (flow == Flow.Abort)
        {
            return Flow.Abort;
        }

        if (registers)
        {
            X87State.Initialize(s);
        }
        else
        {
            // What is saved may hold exceptions; the handler that saved it is not interrupted by them. [APM5 FSTENV]
            X87State.Fcw(s) |= X87State.ExceptionFlags;
            X87State.UpdateSummary(s);
        }

        return flow;
    }

    private static Flow Load(CpuState* s, Insn* i, bool registers)
    {
        byte* buffer = stackalloc byte[Largest];
        bool wide = Is32(i);
        int environment = wide ? 28 : 14, size = environment + (registers ? Registers : 0);
        if (!X87State.CheckPending(s) || !Mem.Address(s, i, size, AccessKind.Read, out ulong linear) || !Mem.LoadBytes(s, linear, buffer, size))
        {
            return Flow.Abort;
        }

        ReadEnvironment(s, wide, buffer);
        if (registers)
        {
            for (int n = 0; n < 8; n++)
            {
                Buffer.MemoryCopy(buffer + environment + (10 * n), s->Fx + X87State.RegistersAt + (16 * n), 10, 10);
            }
        }

        return Flow.Next;
    }

    private static bool RealLayout(CpuState* s) => (s->Mode & (ModeKey.Protected | ModeKey.Virtual8086)) != ModeKey.Protected;

    private static int WriteEnvironment(CpuState* s, bool wide, byte* to)
    {
        uint ip = (uint)X87State.Fip(s), dp = (uint)X87State.Fdp(s), op = X87State.Fop(s) & 0x7FFu;
        if (RealLayout(s))
        {
            ip += (uint)s->Fcs << 4;
            dp += (uint)s->Fds << 4;
        }

        if (wide)
        {
            uint* d = (uint*)to;
            d[0] = 0xFFFF_0000 | X87State.Fcw(s);
            d[1] = 0xFFFF_0000 | X87State.Fsw(s);
            d[2] = 0xFFFF_0000 | X87State.FullTags(s);
            d[3] = RealLayout(s) ? 0xFFFF_0000 | (ip & 0xFFFF) : ip;
            d[4] = RealLayout(s) ? ((ip >> 16) << 12) | op : (op << 16) | s->Fcs;
            d[5] = RealLayout(s) ? 0xFFFF_0000 | (dp & 0xFFFF) : dp;
            d[6] = RealLayout(s) ? (dp >> 16) << 12 : 0xFFFF_0000 | s->Fds;
            return 28;
        }

        ushort* w = (ushort*)to;
        w[0] = X87State.Fcw(s);
        w[1] = X87State.Fsw(s);
        w[2] = X87State.FullTags(s);
        w[3] = (ushort)ip;
        w[4] = RealLayout(s) ? (ushort)(((ip >> 16) << 12) | op) : s->Fcs;
        w[5] = (ushort)dp;
        w[6] = RealLayout(s) ? (ushort)((dp >> 16) << 12) : s->Fds;
        return 14;
    }

    private static void ReadEnvironment(CpuState* s, bool wide, byte* from)
    {
        ushort* w = (ushort*)from;
        uint* d = (uint*)from;
        ushort fsw = wide ? (ushort)d[1] : w[1];
        X87State.SetTop(s, (fsw >> 11) & 7);
        X87State.Fcw(s) = X87Control.LegalFcw(wide ? (ushort)d[0] : w[0]);
        X87State.Fsw(s) = fsw;
        X87State.Ftw(s) = X87State.AbridgeTags(wide ? (ushort)d[2] : w[2]);
        X87State.UpdateSummary(s);
        if (RealLayout(s))
        {
            // The layout holds linear addresses; they are kept as offsets from selector 0.
            uint ipHigh = wide ? d[4] : w[4], dpHigh = wide ? d[6] : w[6];
            X87State.Fop(s) = (ushort)(ipHigh & 0x7FF);
            X87State.Fip(s) = (wide ? d[3] & 0xFFFF : w[3]) | ((ipHigh >> 12) << 16);
            X87State.Fdp(s) = (wide ? d[5] & 0xFFFF : w[5]) | ((dpHigh >> 12) << 16);
            s->Fcs = s->Fds = 0;
            return;
        }

        X87State.Fip(s) = wide ? d[3] : w[3];
        s->Fcs = wide ? (ushort)d[4] : w[4];
        X87State.Fdp(s) = wide ? d[5] : w[5];
        s->Fds = wide ? (ushort)d[6] : w[6];
        if (wide)
        {
            // The 16-bit layout has no opcode.
            X87State.Fop(s) = (ushort)((d[4] >> 16) & 0x7FF);
        }
    }

    internal static void Register(IsaBuilder b)
    {
        b.Add(Code.Fnstenv_m14byte, null, &Fnstenv, legality: Legality.X87);
        b.Add(Code.Fnstenv_m28byte, null, &Fnstenv, legality: Legality.X87);
        b.Add(Code.Fldenv_m14byte, null, &Fldenv, legality: Legality.X87 | Legality.EndsBlock);
        b.Add(Code.Fldenv_m28byte, null, &Fldenv, legality: Legality.X87 | Legality.EndsBlock);
        b.Add(Code.Fnsave_m94byte, null, &Fnsave, legality: Legality.X87);
        b.Add(Code.Fnsave_m108byte, null, &Fnsave, legality: Legality.X87);
        b.Add(Code.Frstor_m94byte, null, &Frstor, legality: Legality.X87 | Legality.EndsBlock);
        b.Add(Code.Frstor_m108byte, null, &Frstor, legality: Legality.X87 | Legality.EndsBlock);
    }
}
