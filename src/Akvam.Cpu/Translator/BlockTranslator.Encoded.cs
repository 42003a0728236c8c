using Akvam.Cpu.Interpreter;
using Iced.Intel;
using Needs = Akvam.Cpu.Translator.EncodedCoverage.Needs;

namespace Akvam.Cpu.Translator;

/// <remarks>Valid as the rest of it.</remarks>
internal sealed unsafe partial class BlockTranslator
{
    private readonly EncodedCoverage _encoded = new();
    private readonly Needs[] _needs = new Needs[BlockCache.MaxInstructions];
    private readonly Encoder _encoder;

    /// <summary>An instruction with the guest's vector registers, which have the same numbers on the host, and mapped general registers and memory.</summary>
    private void EmitEncoded(int n)
    {
        ref readonly Instruction x = ref _guest[n];
        NeedUnits(_needs[n]);
        if (x.Code == Code.Fldcw_m2byte)
        {
            EmitLoadControl(n);
            return;
        }

        InstructionInfo info = _info.GetInfo(x);
        Instruction host = x;
        host.IP = 0;
        host.SegmentPrefix = Iced.Intel.Register.None;
        host.HasRepPrefix = host.HasRepnePrefix = false;
        bool memory = Accesses(n);
        if (memory)
        {
            SetMemory(n, info, ref host);
        }

        NeedHostFlags(NeededFlags(n));

        // Reads first: what is only written may take the same host register.
        int first = -1, second = -1;
        for (int op = 0; op < x.OpCount; op++)
        {
            if (IsGeneral(x, op) && (info.GetOpAccess(op) != OpAccess.Write || x.GetOpRegister(op).GetSize() < 4))
            {
                SetGeneral(ref host, op, LoadInto(Guest(x, op), ref first, ref second));
            }
        }

        for (int op = 0; op < x.OpCount; op++)
        {
            if (IsGeneral(x, op) && info.GetOpAccess(op) == OpAccess.Write && x.GetOpRegister(op).GetSize() >= 4)
            {
                SetGeneral(ref host, op, PlaceFor(x, op, ref first, ref second));
            }
        }

        _encoder.Encode(host, 0);
        _e.ChangeAddress();
        if ((_needs[n] & Needs.Pointers) != 0)
        {
            RememberX87(n);
        }

        for (int op = 0; op < x.OpCount; op++)
        {
            if (IsGeneral(x, op) && Writes(info.GetOpAccess(op)))
            {
                StoreGuest(Guest(x, op), host.GetOpRegister(op).GetNumber());
            }
        }

        FlagsWritten(_uses[n]);
        if (memory)
        {
            AfterAccess(n);
        }
    }

    private void SetMemory(int n, in InstructionInfo info, ref Instruction host)
    {
        int operand = 0;
        while (_guest[n].GetOpKind(operand) != OpKind.Memory)
        {
            operand++;
        }

        int size = _guest[n].MemorySize.GetSize();
        GuestAddress address = AddressOf(n);
        BeforeAccess(n);
        LookUp(n, address, size, Writes(info.GetOpAccess(operand)), (_needs[n] & Needs.Alignment) != 0);
        HostMemory m = Operand(address);
        host.MemoryBase = Iced.Intel.Register.RAX + m.Base;
        host.MemoryIndex = m.Index < 0 ? Iced.Intel.Register.None : Iced.Intel.Register.RAX + m.Index;
        host.MemoryIndexScale = m.Index < 0 ? 1 : 1 << m.Scale;
        host.MemoryDisplacement64 = (ulong)(long)m.Disp;
        host.MemoryDisplSize = m.Disp == 0 ? 0 : m.Disp is >= -128 and < 128 ? 1 : 8;
    }

    private static bool IsGeneral(in Instruction x, int operand) => x.GetOpKind(operand) == OpKind.Register && x.GetOpRegister(operand).IsGPR();

    /// <summary>The host register that holds a guest register to be read. At most two are in memory; a memory operand, which needs the address register, excludes the second.</summary>
    private int LoadInto(int guest, ref int first, ref int second)
    {
        if (HostRegister.Of(guest) >= 0 || guest == first)
        {
            return LoadGuestOnce(guest, first);
        }

        if (first < 0)
        {
            first = guest;
            return LoadGuest(guest, Scratch);
        }

        if (guest != second)
        {
            second = guest;
            _e.Load(Address, HostMemory.State(guest * 8));
        }

        return Address;
    }

    private static int LoadGuestOnce(int guest, int first) => guest == first ? Scratch : HostRegister.Of(guest);

    /// <summary>A host register for a result: the two results of MULX get different ones.</summary>
    private static int PlaceFor(in Instruction x, int operand, ref int first, ref int second)
    {
        int guest = Guest(x, operand), host = HostRegister.Of(guest);
        if (host >= 0)
        {
            return host;
        }

        bool other = operand > 0 && x.GetOpRegister(0).IsGPR() && HostRegister.Of(Guest(x, 0)) < 0 && Guest(x, 0) != guest;
        return other ? Address : Scratch;
    }

    private static void SetGeneral(ref Instruction host, int operand, int register) => host.SetOpRegister(operand, host.GetOpRegister(operand).GetSize() switch
    {
        8 => Iced.Intel.Register.RAX + register,
        4 => Iced.Intel.Register.EAX + register,
        2 => Iced.Intel.Register.AX + register,
        _ => register < 4 ? Iced.Intel.Register.AL + register : Iced.Intel.Register.SPL + (register - 4),
    });

    /// <summary>Iced's encoder writes into the block.</summary>
    private sealed class EmitterWriter(Emitter emitter) : CodeWriter
    {
        public override void WriteByte(byte value) => emitter.U8(value);
    }
}
