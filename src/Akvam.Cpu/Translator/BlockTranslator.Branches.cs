using Akvam.Cpu.Interpreter;
using Iced.Intel;
using Gpr = Akvam.Cpu.State.Register;

namespace Akvam.Cpu.Translator;

/// <remarks>Valid as the rest of it.</remarks>
internal sealed unsafe partial class BlockTranslator
{
    private const int Add = 0, Subtract = 5, ShiftLeft = 4, ShiftArithmetic = 7, CanonicalShift = 16;

    private (int Jump, int Resume) _deep;

    private static HostMemory Stack(int disp) => new(Address, HostRegister.GuestRsp, 0, disp);

    private void MoveStackPointer(int bytes) => _e.Lea(HostRegister.GuestRsp, new HostMemory(HostRegister.GuestRsp, bytes));

    private void EmitPush(int n)
    {
        BeforeAccess(n);
        LookUp(n, GuestAddress.At(Gpr.Rsp, -8), 8, write: true);
        if (_guest[n].Op0Kind == OpKind.Register)
        {
            _e.Store(Stack(-8), LoadGuest(Guest(_guest[n], 0), Scratch));
        }
        else
        {
            _e.Op(0xC7, 0, Stack(-8));
            _e.U32((int)Insn(n)->Imm);
        }

        MoveStackPointer(-8);
        ResumeHere(n);
    }

    private void EmitPop(int n)
    {
        int guest = Guest(_guest[n], 0), host = HostRegister.Of(guest);
        BeforeAccess(n);
        LookUp(n, GuestAddress.At(Gpr.Rsp, 0), 8, write: false);
        _e.Load(host < 0 ? Scratch : host, Stack(0));
        if (guest != Gpr.Rsp)
        {
            MoveStackPointer(8);
            StoreGuest(guest, Scratch);
        }

        ResumeHere(n);
    }

    private void EmitLeave(int n)
    {
        ForgetHostFlags();
        LookUp(n, GuestAddress.At(Gpr.Rbp, 0), 8, write: false);
        _e.Lea(HostRegister.GuestRsp, new HostMemory(HostRegister.Rbp, 8));
        _e.Load(HostRegister.Rbp, new HostMemory(Address, HostRegister.Rbp, 0, 0));
        ResumeHere(n);
    }

    private void EmitBranch(int n)
    {
        Insn* i = Insn(n);
        ulong target = _block->Rip + i->Imm, next = _block->Rip + _block->Bytes;
        if (_forms[n] == Coverage.Form.JumpIf)
        {
            NeedHostFlags(_guest[n].RflagsRead & FlagUse.All);
            int condition = new GuestBytes(new ReadOnlySpan<byte>(Block.Code(_block) + i->Offset, i->Length)).Opcode & 15;
            if (!TryLoop(condition))
            {
                SaveFlags();
                JumpIfToEdge(condition, target);
            }

            JumpToEdge(next);
            return;
        }

        ForgetHostFlags();
        switch (_forms[n])
        {
            case Coverage.Form.Jump:
                JumpToEdge(target);
                break;
            case Coverage.Form.Call:
                PushReturnAddress(n, next);
                CallEdge(target);
                ContinueAt(next);
                break;
            case Coverage.Form.JumpIndirect:
                LoadTarget(n);
                int unknown = HostRoutines.EmitFind(_e);
                _e.Patch(unknown);
                CheckCanonical(n);
                _e.JumpTo(_routines.LeaveTo);
                break;
            case Coverage.Form.CallIndirect:
                LoadTarget(n);
                CheckCanonical(n);
                _e.Store(HostMemory.State(StateOffset.JumpTarget), Scratch);
                PushReturnAddress(n, next);
                _e.Load(Scratch, HostMemory.State(StateOffset.JumpTarget));
                _e.CallTo(_routines.Dispatch);
                ContinueAt(next);
                break;
            case Coverage.Form.SystemCall:
                EmitSystemCall(n, next);
                break;
            case Coverage.Form.SystemReturn:
                EmitSystemReturn(n);
                break;
            default:
                EmitReturn(n, 8 + (ushort)i->Imm);
                break;
        }
    }

    /// <summary>Where the last CALL expects it, by the host's own return; elsewhere as any indirect jump.</summary>
    private void EmitReturn(int n, int bytes)
    {
        LookUp(n, GuestAddress.At(Gpr.Rsp, 0), 8, write: false);
        _e.Load(Scratch, Stack(0));
        _e.Op(0x3B, Scratch, new HostMemory(HostRegister.Rsp, 8));
        int elsewhere = _e.JumpIf(HostCondition.NotEqual);
        MoveStackPointer(bytes);
        _e.Return();
        _e.Patch(elsewhere);
        CheckCanonical(n);
        MoveStackPointer(bytes);
        _e.JumpTo(_routines.Dispatch);
    }

    /// <summary>The target of an indirect branch into the scratch register.</summary>
    private void LoadTarget(int n)
    {
        if (_guest[n].Op0Kind == OpKind.Register)
        {
            int guest = Guest(_guest[n], 0), host = HostRegister.Of(guest);
            if (host < 0)
            {
                _e.Load(Scratch, HostMemory.State(guest * 8));
            }
            else
            {
                _e.Move(Scratch, host);
            }

            return;
        }

        GuestAddress address = GuestAddress.Of(Insn(n));
        LookUp(n, address, 8, write: false);
        _e.Load(Scratch, Operand(address));
    }

    /// <summary>To the guest's stack, and with what follows as its continuation to the host's.</summary>
    private void PushReturnAddress(int n, ulong next)
    {
        LookUp(n, GuestAddress.At(Gpr.Rsp, -8), 8, write: true);
        _e.MoveImmediate(Scratch, next);
        _e.Store(Stack(-8), Scratch);
        MoveStackPointer(-8);
        _e.Op(0x3B, HostRegister.Rsp, HostMemory.State(StateOffset.StackLimit));
        int deep = _e.JumpIf(HostCondition.Below);
        _deep = (deep, _e.Position);
        _e.Push(Scratch);
    }

    /// <summary>Behind a host CALL: execution comes here by RET. Others may have run for long, so the page is checked again.</summary>
    private void ContinueAt(ulong next)
    {
        _e.Pop(Scratch);
        CheckPage(out int one, out int two);
        JumpToEdge(next);
        _e.Patch(one);
        _e.Patch(two);
        StoreRip(next);
        _e.JumpTo(_routines.Leave);

        // Too many returns are expected: the oldest will not be missed, but only all can go.
        _e.Patch(_deep.Jump);
        _e.Load(HostRegister.Rsp, HostMemory.State(StateOffset.StackBase));
        _e.JumpBack(_deep.Resume);
    }

    /// <summary>Canonical in 48 bits; the interpreter decides about others.</summary>
    private void CheckCanonical(int n)
    {
        _e.Move(Address, Scratch);
        _e.ShiftImmediate(ShiftLeft, Address, CanonicalShift);
        _e.ShiftImmediate(ShiftArithmetic, Address, CanonicalShift);
        _e.Op(0x3B, Address, Scratch);
        Slow(_e.JumpIf(HostCondition.NotEqual), n);
    }
}
