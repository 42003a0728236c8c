using Akvam.Cpu.Memory;

namespace Akvam.Cpu.Translator;

/// <summary>Host code that makes a <see cref="TlbWindow"/> show a page that was found in the TLB.</summary>
/// <remarks>
/// It is called with the number of the window times 8 in the low half of a word on the stack, which it takes, and the bytes of an access in the high half; the tag of the
/// page is in the scratch register, and the address register is the distance of its entry, afterwards its addend. A window that shows what lies before or behind the page,
/// at the same distance from the host's memory, grows: over pages between them too, if the TLB has them all.
/// </remarks>
internal sealed class WindowRoutine(Emitter e, int level, bool write)
{
    private const int Rax = HostRegister.Rax, Rcx = HostRegister.Rcx, Rdx = HostRegister.Rdx, Rbx = 3, Rsi = HostRegister.Rsi, Rdi = HostRegister.Rdi, R8 = 8;
    private const int Page = HostRegister.Scratch, Addend = HostRegister.Address;
    private const int PageBytes = 4096, MaxGap = 32 * PageBytes;

    private static readonly int[] s_saved = [Rax, Rcx, Rdx, Rbx, Rsi, Rdi, R8];
    private static readonly HostMemory s_number = new(HostRegister.Rsp, 8 * (s_saved.Length + 1)), s_size = s_number with { Disp = s_number.Disp + 2 };
    private static readonly HostMemory s_limit = new(HostRegister.State, Rdx, 0, TlbWindow.LimitAt(0));
    private static readonly HostMemory s_base = new(HostRegister.State, Rcx, 0, TlbWindow.At(0)), s_addend = s_base with { Disp = s_base.Disp + TlbWindow.AddendAt };
    private readonly List<int> _fresh = [];

    public void Emit()
    {
        foreach (int register in s_saved)
        {
            e.Push(register);
        }

        e.Load(Addend, new HostMemory(HostRegister.State, Addend, 0, TlbSearch.AddendAt));
        e.LoadSized(Rdx, s_number, 2);
        e.Lea(Rcx, new HostMemory(Rdx, Rdx, 1, 0));
        Remember();
        e.Load(Rax, s_limit);
        e.Op(0x85, Rax, Rax);
        _fresh.Add(e.JumpIf(HostCondition.Equal));
        e.Op(0x3B, Addend, s_addend);
        _fresh.Add(e.JumpIf(HostCondition.NotEqual));

        // RAX: its end; RBX: distance of the page from its base, RSI.
        e.LoadSized(Rbx, s_size, 2);
        e.Lea(Rax, new HostMemory(Rax, Rbx, 0, -1));
        e.Load(Rsi, s_base);

        // None goes across 4 GiB, where addresses of 32 bits begin again.
        e.Move(Rdi, Page);
        e.Op(0x33, Rdi, Rsi);
        e.ShiftImmediate(ShiftRight, Rdi, 32);
        _fresh.Add(e.JumpIf(HostCondition.NotEqual));
        e.Move(Rbx, Page);
        e.AluImmediate(And, Rbx, -PageBytes);
        e.Op(0x2B, Rbx, Rsi);
        e.Move(Rdi, Rbx);
        e.Op(0x2B, Rdi, Rax);
        e.AluImmediate(Compare, Rdi, MaxGap);
        int below = e.JumpIf(HostCondition.Above);
        int ended = GrowUp();
        e.Patch(below);
        int grown = GrowDown();
        Begin();
        e.Patch(ended);
        e.Patch(grown);
        for (int n = s_saved.Length - 1; n >= 0; n--)
        {
            e.Pop(s_saved[n]);
        }

        // RET, with the word.
        e.U8(0xC2);
        e.U8(8);
        e.U8(0);
    }

    private const int Add = 0, Or = 1, And = 4, Compare = 7, ShiftRight = 5, Negate = 3;

    /// <summary>Those that were filled are known by number, so that they can be forgotten.</summary>
    private void Remember()
    {
        HostMemory fills = HostMemory.State(StateOffset.WindowFills(level));
        e.Load32(Rax, fills);
        e.AluImmediate(And, Rax, TlbWindow.Remembered - 1, wide: false);
        e.Move(Rsi, Rdx);
        e.ShiftImmediate(ShiftRight, Rsi, 3);
        e.StoreSized(new HostMemory(HostRegister.State, Rax, 1, TlbWindow.NumbersAt(level)), Rsi, 2);
        e.Op(0xFF, 0, fills);
    }

    private int GrowUp()
    {
        e.Op(0x03, Rax, Rsi);
        Tagged(Rax);
        CheckPages(Rax, Page);
        e.LoadSized(Rax, s_size, 2);
        e.AluImmediate(Add, Rbx, PageBytes + 1);
        e.Op(0x2B, Rbx, Rax);
        e.Store(s_limit, Rbx);
        return e.Jump();
    }

    private int GrowDown()
    {
        e.Op(0xF7, Negate, Rbx);
        e.AluImmediate(Compare, Rbx, MaxGap);
        _fresh.Add(e.JumpIf(HostCondition.Above));
        Tagged(Rsi);
        e.Lea(Rax, new HostMemory(Page, PageBytes));
        CheckPages(Rax, Rsi);
        e.Op(0x01, Rbx, s_limit);
        e.AluImmediate(And, Page, -PageBytes);
        e.Store(s_base, Page);
        return e.Jump();
    }

    /// <summary>The page alone.</summary>
    private void Begin()
    {
        foreach (int jump in _fresh)
        {
            e.Patch(jump);
        }

        e.AluImmediate(And, Page, -PageBytes);
        e.Store(s_base, Page);
        e.Store(s_addend, Addend);
        e.LoadSized(Rax, s_size, 2);
        e.MoveImmediate(Rbx, PageBytes + 1);
        e.Op(0x2B, Rbx, Rax);
        e.Store(s_limit, Rbx);
    }

    /// <summary>Gives a page, which is in a register, the tag of the one that was found.</summary>
    private void Tagged(int register)
    {
        e.Move(R8, Page);
        e.AluImmediate(And, R8, (int)TlbTag.Mask, wide: false);
        e.Op(0x0B, register, R8);
    }

    /// <summary>The TLB has all pages from one to another, and all are where they should be.</summary>
    private void CheckPages(int from, int to)
    {
        int again = e.Position;
        e.Op(0x3B, from, to);
        int end = e.JumpIf(HostCondition.Equal);
        e.Move(Rdi, from);
        e.Move(R8, from);
        e.ShiftImmediate(ShiftRight, Rdi, TlbSearch.IndexShift);
        e.ShiftImmediate(ShiftRight, R8, TlbSearch.FoldShift);
        e.Op(0x33, Rdi, R8, wide: false);
        e.AluImmediate(And, Rdi, TlbSearch.IndexMask, wide: false);
        e.Op(0x3B, from, new HostMemory(HostRegister.State, Rdi, 0, write ? TlbSearch.WriteAt : TlbSearch.ReadAt));
        _fresh.Add(e.JumpIf(HostCondition.NotEqual));
        e.Op(0x3B, Addend, new HostMemory(HostRegister.State, Rdi, 0, TlbSearch.AddendAt));
        _fresh.Add(e.JumpIf(HostCondition.NotEqual));
        e.AluImmediate(Add, from, PageBytes);
        e.JumpBack(again);
        e.Patch(end);
    }
}
