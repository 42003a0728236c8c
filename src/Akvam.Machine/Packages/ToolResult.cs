namespace Akvam.Machine.Packages;

/// <summary>How a program ended.</summary>
/// <param name="ExitCode">Its exit code.</param>
/// <param name="Errors">What it wrote to standard error.</param>
public readonly record struct ToolResult(int ExitCode, string Errors);
