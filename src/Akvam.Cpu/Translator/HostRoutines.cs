using Akvam.Cpu.State;

namespace Akvam.Cpu.Translator;

/// <summary>The pieces of host code that all blocks share, at the start of the code memory: entering, leaving, calling the interpreter, finding the next block.</summary>
internal sealed class HostRoutines
{
    private const int FlowEnd = (int)Flow.End, FlowAbort = (int)Flow.Abort;
    private static readonly int[] s_calleeSaved = [3, 5, 12, 13, 14, 15];

    public HostRoutines(Emitter e, nint origin, nint interpret)
    {
        e.Start(origin);

        // Flow leave(eax): the pinned registers are in the state already.
        LeaveStored = e.Origin + e.Position;
        e.AluImmediate(0, HostRegister.Rsp, 8);
        for (int n = s_calleeSaved.Length - 1; n >= 0; n--)
        {
            Pop(e, s_calleeSaved[n]);
        }

        e.U8(0xC3);

        StoreVectors = Copy(e, VectorRoutines.Store());
        LoadVectors = Copy(e, VectorRoutines.Load());
        Leave = e.Origin + e.Position;
        StorePinned(e);
        EmitStoreVectors(e);
        e.U8(0xB8);
        e.U32(FlowEnd);
        e.JumpTo(LeaveStored);
        EmitLoadFloat(e);
        EmitDispatch(e);
        EmitInterpret(e, interpret);
        EmitEnter(e);
    }

    /// <summary><c>Flow enter(CpuState*, void* hostCode)</c> in the host's C convention.</summary>
    public nint Enter { get; private set; }

    /// <summary>Jumped to between two blocks: returns <see cref="Flow.End"/> from <see cref="Enter"/>.</summary>
    public nint Leave { get; }

    /// <summary>Jumped to between two blocks, with RIP and the flags in the state: goes on with the block at RIP, or leaves.</summary>
    public nint Dispatch { get; private set; }

    /// <summary>
    /// Called with an Insn in the scratch register and its number in the address register, flags in the state: has it interpreted. Returns when it completed
    /// and the block goes on; otherwise it does not return.
    /// </summary>
    public nint Interpret { get; private set; }

    /// <summary>Called between two guest instructions, when the vector registers are not held: loads them. Changes flags, scratch and address register.</summary>
    public nint LoadVectors { get; }

    /// <summary>
    /// Called at the start of a block, when registers and MXCSR are not both held: loads them and returns; does not return when the guest unmasks an exception,
    /// but leaves the block to the interpreter.
    /// </summary>
    public nint LoadFloat { get; private set; }

    private nint LeaveStored { get; }

    private nint StoreVectors { get; }

    private static nint Copy(Emitter e, byte[] routine)
    {
        nint at = e.Origin + e.Position;
        e.Copy(routine);
        return at;
    }

    private void EmitStoreVectors(Emitter e)
    {
        e.Op(0x83, 7, HostMemory.State(StateOffset.VectorsHeld), wide: false);
        e.U8(0);
        int none = e.JumpIf(HostCondition.Equal);
        e.CallTo(StoreVectors);
        e.Patch(none);
    }

    private void EmitLoadFloat(Emitter e)
    {
        LoadFloat = e.Origin + e.Position;
        e.Op(0x83, 7, HostMemory.State(StateOffset.VectorsHeld), wide: false);
        e.U8(0);
        int held = e.JumpIf(HostCondition.NotEqual);
        e.CallTo(LoadVectors);
        e.Patch(held);
        e.Op(0x83, 7, HostMemory.State(StateOffset.VectorsHeld), wide: false);
        e.U8(VectorRoutines.RegistersAndMxcsr);
        int unmasked = e.JumpIf(HostCondition.NotEqual);
        e.U8(0xC3);
        e.Patch(unmasked);
        e.AluImmediate(0, HostRegister.Rsp, 8);
        e.Op(0xC7, 0, HostMemory.State(StateOffset.LeaveToInterpreter), wide: false);
        e.U32(1);
        e.JumpTo(Leave);
    }

    private static void StorePinned(Emitter e)
    {
        for (int n = 0; n < HostRegister.Pinned; n++)
        {
            e.Store(HostMemory.State(n * 8), HostRegister.Of(n));
        }
    }

    private static void LoadPinned(Emitter e)
    {
        for (int n = 0; n < HostRegister.Pinned; n++)
        {
            e.Load(HostRegister.Of(n), HostMemory.State(n * 8));
        }
    }

    private static void Push(Emitter e, int register)
    {
        e.Rex(false, 0, 0, register >> 3, false);
        e.U8(0x50 | (register & 7));
    }

    private static void Pop(Emitter e, int register)
    {
        e.Rex(false, 0, 0, register >> 3, false);
        e.U8(0x58 | (register & 7));
    }

    private void EmitEnter(Emitter e)
    {
        Enter = e.Origin + e.Position;
        foreach (int register in s_calleeSaved)
        {
            Push(e, register);
        }

        // Six registers and the return address: the stack is aligned to 16 again.
        e.AluImmediate(5, HostRegister.Rsp, 8);
        e.Move(HostRegister.State, HostRegister.Rdi);
        e.Move(HostRegister.Scratch, HostRegister.Rsi);
        LoadPinned(e);
        e.JumpRegister(HostRegister.Scratch);
    }

    private void EmitInterpret(Emitter e, nint interpret)
    {
        Interpret = e.Origin + e.Position;
        StorePinned(e);
        EmitStoreVectors(e);
        e.AluImmediate(5, HostRegister.Rsp, 8);
        e.Move(HostRegister.Rdi, HostRegister.State);
        e.Move(HostRegister.Rsi, HostRegister.Scratch);
        e.Op(0x8B, HostRegister.Rdx, HostRegister.Address, wide: false);
        e.MoveImmediate(HostRegister.Rax, (ulong)interpret);
        e.Op(0xFF, 2, HostRegister.Rax, wide: false);
        e.AluImmediate(0, HostRegister.Rsp, 8);
        e.Op(0x85, HostRegister.Rax, HostRegister.Rax, wide: false);
        int left = e.JumpIf(HostCondition.NotEqual);
        LoadPinned(e);
        e.U8(0xC3);

        // The block is left: drop the return address.
        e.Patch(left);
        e.AluImmediate(0, HostRegister.Rsp, 8);
        e.AluImmediate(7, HostRegister.Rax, FlowAbort, wide: false);
        e.JumpIfTo(HostCondition.Equal, LeaveStored);
        LoadPinned(e);
        e.JumpTo(Dispatch);
    }

    /// <summary>The same search as BlockCache.Find. In 64-bit code the linear address is RIP; blocks of other code have no host code.</summary>
    private void EmitDispatch(Emitter e)
    {
        const int a = HostRegister.Scratch, b = HostRegister.Address;
        Dispatch = e.Origin + e.Position;
        e.AluImmediate(7, HostMemory.State(StateOffset.Requests), 0);
        e.JumpIfTo(HostCondition.NotEqual, Leave);
        e.Load(a, HostMemory.State(StateOffset.Rip));
        e.Move(b, a);
        e.ShiftImmediate(5, b, 6);
        e.AluImmediate(4, b, 0xFFF, wide: false);
        e.AluImmediate(4, a, 0x3F, wide: false);
        e.Op(0x33, b, a);
        e.Load(a, HostMemory.State(StateOffset.Lookup));
        e.Load(b, new HostMemory(a, b, 3, 0));
        e.Op(0x85, b, b);
        e.JumpIfTo(HostCondition.Equal, Leave);
        e.Load(a, HostMemory.State(StateOffset.Rip));
        e.Op(0x3B, a, new HostMemory(b, StateOffset.BlockLinear));
        e.JumpIfTo(HostCondition.NotEqual, Leave);
        e.Load(a, HostMemory.State(StateOffset.CodeTag));
        e.Op(0x3B, a, new HostMemory(b, StateOffset.BlockTag));
        e.JumpIfTo(HostCondition.NotEqual, Leave);
        e.Load32(a, HostMemory.State(StateOffset.Mode));
        e.Op(0x3B, a, new HostMemory(b, StateOffset.BlockMode), wide: false);
        e.JumpIfTo(HostCondition.NotEqual, Leave);
        EmitEntryChecks(e, out int[] fails);
        e.JumpRegister(a);
        foreach (int fail in fails)
        {
            e.Patch(fail);
        }

        e.JumpTo(Leave);
    }

    /// <summary>Block in the address register: its bytes are known to be those in memory, and it has host code, whose address is then in the scratch register.</summary>
    public static void EmitEntryChecks(Emitter e, out int[] fails)
    {
        int[] stale = EmitBytesCheck(e);
        e.Load(HostRegister.Scratch, new HostMemory(HostRegister.Address, StateOffset.BlockHostCode));
        e.Op(0x85, HostRegister.Scratch, HostRegister.Scratch);
        fails = [.. stale, e.JumpIf(HostCondition.Equal)];
    }

    /// <summary>Block in the address register: jumps when its bytes may not be those in memory.</summary>
    public static int[] EmitBytesCheck(Emitter e)
    {
        const int a = HostRegister.Scratch, b = HostRegister.Address;
        e.Load32(a, HostMemory.State(StateOffset.Epoch));
        e.Op(0x3B, a, new HostMemory(b, StateOffset.BlockEpoch), wide: false);
        int epoch = e.JumpIf(HostCondition.NotEqual);
        e.Load(a, new HostMemory(b, StateOffset.BlockVersion));
        e.Load32(a, new HostMemory(a));
        e.Op(0x3B, a, new HostMemory(b, StateOffset.BlockSeenVersion), wide: false);
        return [epoch, e.JumpIf(HostCondition.NotEqual)];
    }
}
