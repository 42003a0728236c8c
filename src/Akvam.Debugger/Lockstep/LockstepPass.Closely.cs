using System.Globalization;
using System.Reflection;
using System.Text;
using Akvam.Abi;

namespace Akvam.Debugger.Lockstep;

/// <content>The turns in which a difference is known to be.</content>
internal sealed partial class LockstepPass
{
    private readonly Trail _trail = new();

    /// <summary>Where the difference is, for people; null: none was found in the window.</summary>
    public string? Report { get; private set; }

    /// <summary>Block after block, or from kick to kick; the interpreter is stepped, and registers and the watched page are compared at each stop.</summary>
    private VcpuExit RunClosely(Vcpu a, Vcpu b, Turn turn, out VcpuExit reference)
    {
        b.StopsAfterBlock = Mode == StepMode.Blocks;
        ulong end = turn.IsExit ? turn.End + Patience : turn.End;
        while (true)
        {
            ulong start = b.NextLinear, before = b.InstructionCount;
            VcpuExit subject = RunPiece(b, end);
            bool isExit = subject.Reason != KvmExit.KVM_EXIT_INTR;
            reference = StepReference(a, isExit ? end : b.InstructionCount);
            if (!AddDifference(ExitComparison.Compare(reference, subject, served: false)))
            {
                StateComparison.Registers(a, b, _found);
                if (_found.Count == 0 && !isExit)
                {
                    StateComparison.System(a, b, _msrs, _found);
                }

                if (_found.Count == 0 && WatchedPage is { } page)
                {
                    AddDifference(MemoryComparison.Page(_reference, _subject, page));
                }
            }

            if (_found.Count != 0)
            {
                Report = Describe(a, b, start, before);
            }

            if (_found.Count != 0 || isExit || b.InstructionCount >= end)
            {
                b.StopsAfterBlock = false;
                return subject;
            }
        }
    }

    private VcpuExit RunPiece(Vcpu b, ulong end)
    {
        if (Mode == StepMode.Free)
        {
            _kicker.IsHasty = true;
            _kicker.Target = b;
            VcpuExit free = b.Run();
            _kicker.Target = null;
            return free.Reason == KvmExit.KVM_EXIT_INTR ? RunTo(b, b.InstructionCount + Settle) : free;
        }

        ulong before = b.InstructionCount;
        VcpuExit exit;
        int stuck = 0;
        do
        {
            exit = b.Run(end - Math.Min(end, b.InstructionCount));
        }
        while (exit.Reason == KvmExit.KVM_EXIT_INTR && b.InstructionCount == before && ++stuck < MostStuck);

        // What the last instruction asked for comes before the limit of the reference, too.
        return exit.Reason == KvmExit.KVM_EXIT_INTR ? b.Run(0) : exit;
    }

    private VcpuExit StepReference(Vcpu a, ulong target)
    {
        VcpuExit exit = a.InstructionCount < target ? _trail.Step(a) : a.Run(0);
        return StepTo(a, target, exit);
    }

    private string Describe(Vcpu a, Vcpu b, ulong block, ulong before)
    {
        var text = new StringBuilder();
        text.AppendLine(CultureInfo.InvariantCulture, $"vCPU {a.Id} differs after {a.InstructionCount:N0} instructions, {a.InstructionCount - before:N0} of them since the last stop, where both stood at {block:x}.");
        text.AppendLine();
        text.Append(DescribeDifferences(_found));
        text.AppendLine();
        text.AppendLine("registers (* differs):         interpreter        translator");
        kvm_regs x = a.GetRegs(), y = b.GetRegs();
        foreach (FieldInfo field in typeof(kvm_regs).GetFields())
        {
            ulong u = (ulong)field.GetValue(x)!, w = (ulong)field.GetValue(y)!;
            text.AppendLine(CultureInfo.InvariantCulture, $"{(u == w ? ' ' : '*')} {field.Name,-22} {u,18:x} {w,17:x}");
        }

        text.AppendLine();
        text.AppendLine("last instructions, with what each changed on the interpreter:");
        text.Append(_trail.Describe());
        text.AppendLine();
        text.AppendLine(b.DescribeTranslation(block) ?? "What starts there has no translation: it was interpreted, or host code came to it from another block.");
        return text.ToString();
    }

    /// <summary>One line for each difference.</summary>
    public static string DescribeDifferences(IReadOnlyList<Difference> differences)
    {
        const int most = 40;
        var text = new StringBuilder();
        foreach (Difference d in differences.Take(most))
        {
            text.AppendLine(CultureInfo.InvariantCulture, $"  {d.Field}: interpreter {d.Reference}, translator {d.Subject}");
        }

        if (differences.Count > most)
        {
            text.AppendLine(CultureInfo.InvariantCulture, $"  and {differences.Count - most} more");
        }

        return text.ToString();
    }
}
