using System.Globalization;
using System.Reflection;
using System.Runtime.InteropServices;
using System.Text;
using Akvam.Abi;

namespace Akvam.Debugger.Lockstep;

/// <summary>The last instructions of a vCPU that is stepped, and what each changed.</summary>
internal sealed class Trail
{
    private const int Length = 48;

    private static readonly string[] s_names = [.. typeof(kvm_regs).GetFields(BindingFlags.Instance | BindingFlags.Public).Select(f => f.Name)];

    private readonly (InstructionView View, kvm_regs After)[] _steps = new (InstructionView, kvm_regs)[Length];
    private kvm_regs _start;
    private long _count;

    /// <summary>Executes one instruction of <paramref name="vcpu"/>, or delivers what comes before it.</summary>
    public VcpuExit Step(Vcpu vcpu)
    {
        if (_count == 0)
        {
            _start = vcpu.GetRegs();
        }

        InstructionView view = vcpu.NextInstruction();
        VcpuExit exit = vcpu.Run(1);
        _steps[_count++ % Length] = (view, vcpu.GetRegs());
        return exit;
    }

    /// <summary>One line for each instruction, with the registers that it changed.</summary>
    public string Describe()
    {
        var text = new StringBuilder();
        long first = Math.Max(0, _count - Length);
        kvm_regs before = first == 0 ? _start : _steps[first % Length].After;
        for (long n = first == 0 ? 0 : first + 1; n < _count; n++)
        {
            (InstructionView view, kvm_regs after) = _steps[n % Length];
            text.AppendLine(CultureInfo.InvariantCulture, $"{view.Text,-90}{Changes(before, after)}");
            before = after;
        }

        return text.ToString();
    }

    private static string Changes(kvm_regs before, kvm_regs after)
    {
        ReadOnlySpan<ulong> a = MemoryMarshal.Cast<kvm_regs, ulong>(new ReadOnlySpan<kvm_regs>(ref before)), b = MemoryMarshal.Cast<kvm_regs, ulong>(new ReadOnlySpan<kvm_regs>(ref after));
        var text = new StringBuilder();
        for (int n = 0; n < a.Length; n++)
        {
            if (a[n] != b[n] && s_names[n] != nameof(kvm_regs.rip))
            {
                text.Append(CultureInfo.InvariantCulture, $" {s_names[n]}={b[n]:x}");
            }
        }

        return text.ToString();
    }
}
