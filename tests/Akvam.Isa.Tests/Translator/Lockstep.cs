using System.Globalization;
using Akvam.Cpu;
using Akvam.Cpu.Cpuid;
using Akvam.Cpu.Flags;
using Akvam.Cpu.State;

namespace Akvam.Isa.Tests.Translator;

/// <summary>The same program on both engines.</summary>
/// <remarks>Valid until disposed.</remarks>
internal sealed unsafe class Lockstep : IDisposable
{
    private static readonly string[] s_names = ["rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15"];

    private int _stops;

    /// <param name="caches">How much code both keep; null: as <see cref="TestEngine.Caches"/>.</param>
    public Lockstep(CodeCacheSizes? caches = null)
    {
        Reference = new TestMachine(engine: EngineKind.Interpreter, caches: caches);
        Translated = new TestMachine(engine: EngineKind.Translator, caches: caches);
        foreach (TestMachine m in (TestMachine[])[Reference, Translated])
        {
            m.Processor.Cpuid.SetEntries(CpuidModel.Supported());
        }
    }

    public TestMachine Reference { get; }

    public TestMachine Translated { get; }

    /// <summary>Prepares both machines in the same way.</summary>
    public void Set(Action<TestMachine> prepare)
    {
        prepare(Reference);
        prepare(Translated);
    }

    /// <summary>Runs both; what differs afterwards, or null.</summary>
    public string? Run(ulong limit, out RunResult result)
    {
        result = RunOne(Reference, limit);
        RunResult other = RunOne(Translated, limit);
        return result != other ? string.Create(CultureInfo.InvariantCulture, $"{result}, translated {other}") : Difference() ?? Inconsistency(result);
    }

    private static RunResult RunOne(TestMachine m, ulong limit)
    {
        RunResult result;
        int exits = 0;
        do
        {
            result = m.Processor.Run(limit);
            if (result == RunResult.UserExit)
            {
                m.Processor.Pending.Complete();
            }
        }
        while (result is RunResult.UserExit or RunResult.Kicked && ++exits < 20);
        m.Processor.Pending.Clear();
        return result;
    }

    /// <summary>Of the code that the translated one keeps. A look at all of it takes a millisecond: when the program has ended, and now and then before.</summary>
    private string? Inconsistency(RunResult result) => result != RunResult.Limit || ++_stops % 8 == 0 ? Translated.Processor.FindInconsistency() : null;

    private string? Difference()
    {
        CpuState* a = Reference.State, b = Translated.State;
        for (int n = 0; n < 16; n++)
        {
            if (a->Gpr[n] != b->Gpr[n])
            {
                return $"{s_names[n]}: {a->Gpr[n]:x}, translated {b->Gpr[n]:x}";
            }
        }

        if (a->Rip != b->Rip)
        {
            return $"rip: {a->Rip:x}, translated {b->Rip:x}";
        }

        if (LazyFlags.Read(a) != LazyFlags.Read(b))
        {
            return $"flags: {LazyFlags.Read(a):x}, translated {LazyFlags.Read(b):x}";
        }

        if (a->Retired != b->Retired)
        {
            return $"retired: {a->Retired}, translated {b->Retired}";
        }

        int vector = new Span<byte>(a->Vector, 512).CommonPrefixLength(new Span<byte>(b->Vector, 512));
        if (vector < 512)
        {
            byte* x = a->Vector + (vector & ~31), y = b->Vector + (vector & ~31);
            return $"ymm{vector / 32}: {Convert.ToHexString(new Span<byte>(x, 32))}, translated {Convert.ToHexString(new Span<byte>(y, 32))}";
        }

        if (X87(a) != X87(b))
        {
            return $"x87: {X87(a)}, translated {X87(b)}";
        }

        if (a->Mxcsr != b->Mxcsr)
        {
            return $"mxcsr: {a->Mxcsr:x}, translated {b->Mxcsr:x}";
        }

        int at = Reference.Memory.CommonPrefixLength(Translated.Memory);
        return at == Reference.Bytes ? null : $"memory {at:x}: {Reference.Memory[at]:x2}, translated {Translated.Memory[at]:x2}";
    }

    /// <summary>The x87 unit: control and pointers, the ten bytes of each register, and the selectors.</summary>
    private static string X87(CpuState* s)
    {
        string text = Convert.ToHexString(new Span<byte>(s->Fx, 24));
        for (int n = 0; n < 8; n++)
        {
            text += " " + Convert.ToHexString(new Span<byte>(s->Fx + 32 + (16 * n), 10));
        }

        return string.Create(CultureInfo.InvariantCulture, $"{text} {s->Fcs:x} {s->Fds:x}");
    }

    public void Dispose()
    {
        Reference.Dispose();
        Translated.Dispose();
    }
}
