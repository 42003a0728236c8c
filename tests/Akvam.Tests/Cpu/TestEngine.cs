using Akvam.Cpu;

namespace Akvam.Tests.Cpu;

/// <summary>The engine of tests that do not ask for one. <c>./akvam test</c> runs them on both.</summary>
internal static class TestEngine
{
    public static EngineKind Default { get; } =
        Enum.TryParse(Environment.GetEnvironmentVariable("AKVAM_ENGINE"), ignoreCase: true, out EngineKind engine) ? engine : EngineKind.Interpreter;
}
