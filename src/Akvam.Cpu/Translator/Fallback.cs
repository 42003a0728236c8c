using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Akvam.Cpu.Interpreter;
using Akvam.Cpu.Memory;
using Akvam.Cpu.Semantics;
using Akvam.Cpu.State;
using Iced.Intel;

namespace Akvam.Cpu.Translator;

/// <summary>Where host code enters C#: one instruction is interpreted.</summary>
/// <remarks>Valid because host code passes the state it runs on and its record, which knows the block that it was made from as long as it may run.</remarks>
internal static unsafe class Fallback
{
    /// <summary>Set in the number of an instruction that is covered, but whose memory access the TLB did not serve.</summary>
    public const int SlowAccess = 1 << 16;

    /// <summary>Set in the number of an instruction that neither reads nor changes arithmetic flags: they stay in the form of host code.</summary>
    public const int KeepsFlags = 1 << 17;

    /// <summary>Set in the number of an STI behind which the block has another instruction.</summary>
    public const int Shielded = 1 << 18;

    private const int Number = SlowAccess - 1;

    public static nint Address => (nint)(delegate* unmanaged<CpuState*, CodeRecord*, int, int>)&Interpret;

    public static nint ProbeAddress => (nint)(delegate* unmanaged<CpuState*, ulong, int, int>)&Probe;

    public static nint VerifyAddress => (nint)(delegate* unmanaged<CpuState*, CodeRecord*, int>)&Verify;

    /// <summary>1: the TLB has the page now. What would fault does so when it is really accessed.</summary>
    [UnmanagedCallersOnly]
    private static int Probe(CpuState* s, ulong linear, int span)
    {
        TranslatorEngine engine = Processor.Of(s).Translator!;
        try
        {
            engine.Count(0, slowAccess: true);
            if (s->WindowlessSite != 0)
            {
                engine.DropWindow(s);
            }

            AccessKind kind = (span & BlockTranslator.ProbeWrites) != 0 ? AccessKind.Write : AccessKind.Read;
            TlbEntry* e = Mem.Entry(s, linear);
            return Canonical.Is(s, linear) && Mem.Probe(s, linear, span & BlockTranslator.ProbeSpan, kind)
                && ((span & BlockTranslator.ProbeWillWrite) != 0 ? e->Write : e->Read) == ((linear & ~TlbTag.Mask) | s->DataTag) ? 1 : 0;
        }
        catch (Exception)
        {
            // It will be thrown again where the access is made.
            return 0;
        }
    }

    /// <summary>1: the page of a block that is about to be entered is mapped where it was, and the block is as it was.</summary>
    [UnmanagedCallersOnly]
    private static int Verify(CpuState* s, CodeRecord* record)
    {
        Block* b = record->Block;
        Processor processor = Processor.Of(s);
        try
        {
            s->Rip = b->Rip;
            return processor.Translator!.TryVerify(s, b) ? 1 : 0;
        }
        catch (Exception)
        {
            // It will be thrown again where the block is looked up.
            return 0;
        }
    }

    /// <summary>An exception must not cross host code: it waits in the engine until that has returned.</summary>
    [UnmanagedCallersOnly]
    private static int Interpret(CpuState* s, CodeRecord* record, int number)
    {
        Block* b = record->Block;
        TranslatorEngine engine = Processor.Of(s).Translator!;
        int index = number & Number;
        Insn* i = Block.First(b) + index;
        s->Rip = b->Rip;
        s->Retired = s->StopAt - s->Left - b->Count;
        if (s->WindowlessSite != 0)
        {
            engine.DropWindow(s);
        }

        try
        {
            if ((number & Shielded) != 0 && Interrupts.TryStiQuietly(s))
            {
                return (int)Flow.Next;
            }

            engine.Count(i->Code, (number & SlowAccess) != 0);
            bool keepsFlags = (number & KeepsFlags) != 0;
            Flow flow = keepsFlags ? Execute(s, engine, i, index) : ExecuteWithFlags(s, engine, i, index);
            return (int)(flow == Flow.Abort && Deliver(s, engine, keepsFlags) ? Flow.Jump : flow);
        }
        catch (Exception e)
        {
            engine.Fail(e);
            s->Rip = i->RipOf(s);
            s->Retired += (ulong)index;
            engine.Left(s);
            return (int)Flow.Abort;
        }
    }

    /// <summary>The frame gets the flags of the program.</summary>
    private static bool Deliver(CpuState* s, TranslatorEngine engine, bool keepsFlags)
    {
        if (keepsFlags)
        {
            HostFlags.ToLazy(s);
        }

        if (!Processor.Of(s).TryDeliverFault(s))
        {
            return false;
        }

        engine.Left(s);
        return true;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Flow ExecuteWithFlags(CpuState* s, TranslatorEngine engine, Insn* i, int index)
    {
        HostFlags.ToLazy(s);
        ulong result = s->FlagResult, aux = s->FlagAux;
        Flow flow = Execute(s, engine, i, index);
        if (s->FlagResult != result || s->FlagAux != aux)
        {
            HostFlags.FromLazy(s);
        }

        return flow;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Flow Execute(CpuState* s, TranslatorEngine engine, Insn* i, int index)
    {
        int resets = engine.Resets;
        Flow flow = i->Execute(s, i);
        if (flow == Flow.Next && engine.Resets != resets)
        {
            // The block that asked is no more.
            flow = Flow.End;
        }

        if (flow != Flow.Next)
        {
            Engine.Leave(s, i, index, flow);
            engine.Left(s);
            if (flow == Flow.Abort && s->Abort != AbortReason.Fault && s->QuietSti != 0 && index != 0 && (i - 1)->Code == (ushort)Code.Sti)
            {
                // It will be executed again, and is shielded still.
                s->Shadow = InterruptShadow.Sti;
            }
        }

        return flow;
    }
}
